//! How much one connection may ask for.

/// What exceeds these is refused or cut off, and said to be so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request in bytes. A longer one ends the connection.
    pub message: usize,
    /// Requests that wait for their turn. One more is not read before one of them has been answered.
    pub outstanding: usize,
    /// Comparisons that a filter asks for.
    pub comparisons: usize,
    /// Levels of a filter.
    pub levels: usize,
    /// Attributes that a search selects.
    pub attributes: usize,
    /// Entries of one answer, which is also the longest page. Whoever asks page by page gets all.
    pub entries: usize,
    /// Bytes after which a piece of an answer ends. It is longer by the last entry.
    pub piece: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message: 64 << 10,
            outstanding: 16,
            comparisons: 256,
            levels: 32,
            attributes: 256,
            entries: 1000,
            piece: 16 << 10,
        }
    }
}
