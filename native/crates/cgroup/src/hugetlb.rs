use std::fs;
use std::path::Path;

use crate::dir::Dir;
use crate::paths::CgroupPaths;

/// The use of huge pages of one size.
#[derive(Debug, PartialEq, Eq)]
pub struct Hugetlb {
    /// Such as 2MB.
    pub page_size: String,
    pub usage: u64,
    /// Known to version 1 alone.
    pub max_usage: Option<u64>,
}

/// The use of huge pages, by size.
#[must_use]
pub fn hugetlb(paths: &CgroupPaths) -> Vec<Hugetlb> {
    let (dir, end) = match paths {
        CgroupPaths::V1(dirs) => (dirs.get("hugetlb"), ".usage_in_bytes"),
        CgroupPaths::V2(dir) => (Some(dir), ".current"),
    };
    dir.map(|dir| read(dir, end)).unwrap_or_default()
}

fn read(dir: &Path, end: &str) -> Vec<Hugetlb> {
    let files = Dir(Some(dir.to_owned()));
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let size = |name: String| Some(name.strip_prefix("hugetlb.")?.strip_suffix(end)?.to_owned());
    let sizes = entries.filter_map(|entry| size(entry.file_name().to_string_lossy().into_owned()));
    // Reservations have files of their own, such as hugetlb.2MB.rsvd.current.
    let mut sizes: Vec<String> = sizes.filter(|size| !size.contains('.')).collect();
    sizes.sort();
    let usage = |page_size: String| Hugetlb {
        usage: files.number(&format!("hugetlb.{page_size}{end}")),
        max_usage: files.known(&format!("hugetlb.{page_size}.max_usage_in_bytes")),
        page_size,
    };
    sizes.into_iter().map(usage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn either_version_tells_of_each_size_and_reservations_are_none() {
        let fixture = Fixture::new("hugetlb");
        fixture.write("hugetlb.2MB.usage_in_bytes", "2097152\n");
        fixture.write("hugetlb.2MB.max_usage_in_bytes", "4194304\n");
        fixture.write("hugetlb.2MB.rsvd.usage_in_bytes", "0\n");
        let v1 = CgroupPaths::V1([("hugetlb".to_owned(), fixture.dir.clone())].into());
        let page_size = || "2MB".to_owned();
        assert_eq!(hugetlb(&v1), [Hugetlb { page_size: page_size(), usage: 2 << 20, max_usage: Some(4 << 20) }]);
        let fixture = Fixture::new("hugetlb-2");
        fixture.write("hugetlb.2MB.current", "0\n");
        fixture.write("hugetlb.2MB.rsvd.current", "0\n");
        let v2 = hugetlb(&CgroupPaths::V2(fixture.dir.clone()));
        assert_eq!(v2, [Hugetlb { page_size: page_size(), usage: 0, max_usage: None }]);
        assert_eq!(hugetlb(&CgroupPaths::V1([].into())), []);
    }
}
