//! Writes every page with sample data to the folder named as argument, for looking at.
//!
//! Serve that folder at the root of any web server, because pages name their assets `/assets/…`.

#[path = "../tests/support/samples/mod.rs"]
mod samples;

use std::{env, error::Error, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(env::args_os().nth(1).ok_or("usage: gallery FOLDER")?);
    let assets = folder.join("assets");
    fs::create_dir_all(&assets)?;
    for name in ["console.css", "console.js", "favicon.svg"] {
        let file = chancery_admin_ui::asset(name).ok_or("an asset is missing")?;
        fs::write(assets.join(name), file.bytes)?;
    }
    for (name, html) in samples::pages(&str::to_owned) {
        fs::write(folder.join(format!("{name}.html")), html)?;
    }
    Ok(())
}
