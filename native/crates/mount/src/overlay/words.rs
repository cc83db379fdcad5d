//! Paths as overlayfs reads them in its options, where a backslash takes the next character for what it is.

/// The paths in a `lowerdir`, which colons part. Empty ones are none.
pub fn layers(value: &str) -> Vec<String> {
    let mut dirs = vec![String::new()];
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        match (letter, dirs.last_mut()) {
            (':', _) => dirs.push(String::new()),
            ('\\', Some(dir)) => dir.extend(letters.next()),
            (other, Some(dir)) => dir.push(other),
            (_, None) => {}
        }
    }
    dirs.retain(|dir| !dir.is_empty());
    dirs
}

/// A path in `upperdir` or `workdir`.
pub fn unescape(value: &str) -> String {
    let mut path = String::with_capacity(value.len());
    let mut letters = value.chars();
    while let Some(letter) = letters.next() {
        path.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    path
}

/// A path for mount(2), where a comma ends the option.
pub fn escape(path: &str) -> String {
    let mut value = String::with_capacity(path.len());
    for letter in path.chars() {
        if matches!(letter, '\\' | ':' | ',') {
            value.push('\\');
        }
        value.push(letter);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back() {
        for path in ["/plain", "/a:b", "/a\\", "/a,b\\:c", "/é:", "\\\\"] {
            assert_eq!(unescape(&escape(path)), path);
            assert_eq!(layers(&[escape(path), escape("/x:")].join(":")), [path, "/x:"]);
        }
    }
}
