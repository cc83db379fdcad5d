use rustix::mount::MountFlags;

use super::words;
use crate::limits::VALUE_MAX;
use crate::options::Options;

/// An overlay's options, with plain paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Topmost first.
    pub lower: Vec<String>,
    pub upper: Option<String>,
    pub work: Option<String>,
    /// The user namespace by which the layers' owners are translated.
    pub user_map: Option<String>,
    pub flags: MountFlags,
    /// Every other word, such as `volatile`.
    pub rest: Vec<String>,
}

impl Overlay {
    pub fn of(options: &Options) -> Self {
        let dir = |key| options.value(key).map(words::unescape);
        let is_dir = |word: &&String| matches!(word.split_once('='), Some(("lowerdir" | "upperdir" | "workdir", _)));
        Self {
            lower: words::layers(options.value("lowerdir").unwrap_or_default()),
            upper: dir("upperdir"),
            work: dir("workdir"),
            user_map: options.user_map.clone(),
            flags: options.flags,
            rest: options.data.iter().filter(|word| !is_dir(word)).cloned().collect(),
        }
    }

    /// The source of a mount whose options do not tell its directories, as they were given by descriptor: the topmost
    /// layer, or what of its path fits, so that a cleanup knows from the mount table whose layers are in use.
    pub fn telling_source(&self) -> &str {
        let top = self.lower.first().map_or("overlay", String::as_str);
        let ends = top.char_indices().map(|(start, letter)| start + letter.len_utf8());
        let end = ends.take_while(|&end| end < VALUE_MAX).last();
        &top[..end.unwrap_or_default()]
    }
}
