//! The page that Prometheus reads: its text format, version 0.0.4.
//!
//! Written by hand: the format is two comment lines and a line for each number, while a library would keep each
//! number behind a look-up with a lock and bring a handful of crates for it.

use std::fmt::{Display, Write};

/// As HTTP names it.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It only grows.
    Counter,
    /// It comes and goes.
    Gauge,
}

/// A page in the making.
#[derive(Default)]
pub(crate) struct Page(String);

impl Page {
    /// A number without labels.
    pub(crate) fn one(&mut self, kind: Kind, name: &str, help: &str, value: impl Display) {
        self.head(kind, name, help);
        self.line(format_args!("{name} {value}"));
    }

    /// A number for each value of a label.
    pub(crate) fn each<L: Display, V: Display>(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (L, V)>,
    ) {
        self.head(kind, name, help);
        for (of, value) in samples {
            let of = of.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            self.line(format_args!("{name}{{{label}=\"{of}\"}} {value}"));
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    fn head(&mut self, kind: Kind, name: &str, help: &str) {
        let kind = if kind == Kind::Counter { "counter" } else { "gauge" };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    fn line(&mut self, words: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{words}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.one(Kind::Gauge, "a_bytes", "How much.", 1.5);
        page.each(Kind::Counter, "b_total", "How often.", "why", [("so", 1), ("q\"\\\n", 2)]);
        let wanted = "# HELP a_bytes How much.\n# TYPE a_bytes gauge\na_bytes 1.5\n\
            # HELP b_total How often.\n# TYPE b_total counter\nb_total{why=\"so\"} 1\nb_total{why=\"q\\\"\\\\\\n\"} 2\n";
        assert_eq!(page.finish(), wanted);
    }
}
