//! The URL of the object store.

use std::path::Path;

use url::Url;

use crate::error::Error;

/// The schemes that are served.
const SCHEMES: [&str; 5] = ["file", "s3", "gs", "az", "memory"];
/// The folder in the data directory where objects are by default.
const DEFAULT_FOLDER: &str = "objects";

/// Reads the URL of a store; the text says what is wrong with it.
pub(super) fn parse(given: &str) -> Result<Url, String> {
    let url = Url::parse(given).map_err(|error| format!("{given:?} is no URL: {error}"))?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!("{} is none of {}", url.scheme(), SCHEMES.join(", ")));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials belong into the environment, not into the URL".to_owned());
    }
    // `file://objects` would name a host, where its author meant a folder.
    if url.scheme() == "file" && url.to_file_path().is_err() {
        return Err("a file URL is file:///and/a/whole/path".to_owned());
    }
    Ok(url)
}

/// The store that is a folder of the data directory.
///
/// # Errors
///
/// [`Error::BadFlags`] if the directory cannot be made into a URL.
pub(super) fn within(data_dir: &Path) -> Result<Url, Error> {
    let fault = |why: &str| Error::BadFlags {
        faults: vec![format!("--data-dir {} is no directory: {why}", data_dir.display())],
    };
    let folder = data_dir.join(DEFAULT_FOLDER);
    let whole = std::path::absolute(&folder).map_err(|error| fault(&error.to_string()))?;
    Url::from_directory_path(whole).map_err(|()| fault("it has no path from the root"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, expect: Result<&str, &str>) {
        match (parse(given), expect) {
            (Ok(url), Ok(expect)) => assert_eq!(url.as_str(), expect),
            (Err(fault), Err(expect)) => assert!(fault.contains(expect), "{given}: {fault}"),
            (got, expect) => panic!("{given}: {got:?} is not {expect:?}"),
        }
    }

    #[test]
    fn stores_are_urls_of_known_schemes_without_secrets() {
        check("file:///var/objects", Ok("file:///var/objects"));
        check("s3://bucket/a/prefix", Ok("s3://bucket/a/prefix"));
        check("gs://bucket", Ok("gs://bucket"));
        check("az://container/prefix", Ok("az://container/prefix"));
        check("memory://", Ok("memory://"));
        check("file://objects/here", Err("whole/path"));
        check("objects", Err("is no URL"));
        check("ftp://host/objects", Err("is none of"));
        check("s3://key:secret@bucket/prefix", Err("credentials"));
    }

    #[test]
    fn by_default_objects_are_in_the_data_directory() {
        let url = within(Path::new("/a data dir")).expect("is a folder");
        assert_eq!(url.as_str(), "file:///a%20data%20dir/objects/");
        let relative = within(Path::new("./forebay-data")).expect("is a folder");
        assert!(relative.path().ends_with("/forebay-data/objects/"), "{relative}");
    }
}
