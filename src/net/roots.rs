//! Which certificate files count, and reading them: private roots, the system's, and our own.
//!
//! `CA_FILE`, `SSL_CERT_FILE` and `SSL_CERT_DIR` add to the built-in roots and replace none. One
//! bad certificate loses nothing but itself, and is said. What the user named for us alone
//! (`CA_FILE`, `CLIENT_CERT`, `CLIENT_KEY`) must be readable; the `SSL_CERT_` variables are often
//! left over from some other program, so there a warning is enough. Nothing is read that no
//! setting names, but by `system`, which is for when an issuer turned out to be unknown.

use crate::net::certificate::Certificate;
use crate::net::pem;
use crate::net::pem::Section;
use std::collections::HashSet;
use std::env;
use std::error;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;
use std::path::PathBuf;

/// Mozilla's whole list is 220 KB; the bundles of large companies are some times that.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// `/etc/ssl/certs` has about 300 names for 150 certificates.
const FOLDER_FILES_MAX: usize = 4_000;

/// A rotten bundle is told in a few lines; the rest is counted.
const WARNINGS_MAX: usize = 4;

/// Where systems keep the bundle of all roots, in the order in which Go looks for them.
const SYSTEM_FILES: &[&str] = &[
    "/etc/ssl/certs/ca-certificates.crt", // Debian, Arch, Gentoo, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",   // Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",             // openSUSE
    "/etc/pki/tls/cacert.pem",            // OpenELEC
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // CentOS, RHEL 7
    "/etc/ssl/cert.pem",                  // Alpine, OpenWrt
    "/etc/ssl/certs/ca-bundle.crt",       // NixOS
];

/// Where they keep the roots one by one, looked at where there is none of the bundles.
const SYSTEM_FOLDERS: &[&str] = &[
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
    "/system/etc/security/cacerts", // Android
];

/// What the user said about whom to trust, and who we are.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// `CA_FILE`: roots beside the built-in ones.
    pub ca_file: Option<PathBuf>,
    /// `SSL_CERT_FILE`: likewise, from the environment.
    pub ssl_cert_file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: folders of such files, parted by colons as OpenSSL has it.
    pub ssl_cert_dir: Option<PathBuf>,
    /// `CLIENT_CERT`: our own certificate and what leads from it to its root.
    pub client_cert: Option<PathBuf>,
    /// `CLIENT_KEY`: the key of it; it may also stand in the file of the certificate.
    pub client_key: Option<PathBuf>,
}

/// The roots that settings name, beside the built-in ones. Fails only for `CA_FILE`.
pub fn named(trust: &Trust) -> Result<Found, Error> {
    let mut found = Found::default();
    if let Some(path) = &trust.ca_file {
        found.take_file("CA_FILE", path)?;
        if found.certificates.is_empty() {
            let reason = match found.bad {
                0 => "it holds no certificate",
                _ => "none of its certificates can be read",
            };
            return Err(unusable("CA_FILE", path, reason));
        }
    }
    if let Some(path) = &trust.ssl_cert_file
        && let Err(error) = found.take_file("SSL_CERT_FILE", path)
    {
        found.warnings.push(error.to_string());
    }
    for folder in trust.ssl_cert_dir.iter().flat_map(env::split_paths) {
        if let Err(error) = found.take_folder("SSL_CERT_DIR", &folder) {
            found.warnings.push(error.to_string());
        }
    }
    if let Some(more @ 1..) = found.bad.checked_sub(WARNINGS_MAX) {
        let warning = format!("{more} more certificates cannot be read");
        found.warnings.push(warning);
    }
    Ok(found)
}

/// The system's roots; none where there are none. Bad ones are passed over without a word, since
/// nobody named them.
pub fn system() -> Vec<Vec<u8>> {
    first_of(SYSTEM_FILES, SYSTEM_FOLDERS)
}

fn first_of(files: &[&str], folders: &[&str]) -> Vec<Vec<u8>> {
    let from_files = files.iter().map(|path| {
        let mut found = Found::default();
        let _ = found.take_file("", Path::new(path));
        found.certificates
    });
    let from_folders = folders.iter().map(|path| {
        let mut found = Found::default();
        let _ = found.take_folder("", Path::new(path));
        found.certificates
    });
    let mut all = from_files.chain(from_folders);
    all.find(|some| !some.is_empty()).unwrap_or_default()
}

/// Our own certificate and its key, if the settings name one.
pub fn identity(trust: &Trust) -> Result<Option<Identity>, Error> {
    let Some(path) = &trust.client_cert else {
        return match trust.client_key {
            Some(_) => Err(Error::KeyAlone),
            None => Ok(None),
        };
    };
    let sections = sections("CLIENT_CERT", path)?;
    let mut chain = Vec::new();
    for section in sections.iter().filter(|section| is_certificate(section)) {
        match &section.der {
            Ok(der) => chain.push(der.clone()),
            // A chain with a hole would be refused far away, with nobody to say why.
            Err(reason) => return Err(unusable("CLIENT_CERT", path, complaint(section, reason))),
        }
    }
    if chain.is_empty() {
        return Err(unusable("CLIENT_CERT", path, "it holds no certificate"));
    }
    let key = match &trust.client_key {
        None => private_key("CLIENT_CERT", path, &sections)?,
        Some(path) => private_key("CLIENT_KEY", path, &self::sections("CLIENT_KEY", path)?)?,
    };
    Ok(Some(Identity { chain, key }))
}

/// Certificates that were read, each once, and what was wrong with others.
#[derive(Debug, Default)]
pub struct Found {
    /// DER, in the order in which they were read.
    pub certificates: Vec<Vec<u8>>,
    /// A line each, naming the setting, the file and the line.
    pub warnings: Vec<String>,
    /// What is in `certificates`: a folder has most files under two names.
    known: HashSet<Vec<u8>>,
    bad: usize,
}

/// Our own certificate.
pub struct Identity {
    /// DER; ours first.
    pub chain: Vec<Vec<u8>>,
    /// DER, in any of the forms that keys have.
    pub key: Vec<u8>,
}

/// A setting that names a file we cannot use.
#[derive(Debug)]
pub enum Error {
    /// It cannot be read.
    Unreadable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It holds nothing for us.
    Unusable {
        /// The setting.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// `CLIENT_KEY` is set and `CLIENT_CERT` is not.
    KeyAlone,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unreadable { key, path, source } => {
                write!(f, "cannot read {} of {key}: {source}", path.display())
            }
            Error::Unusable { key, path, reason } => {
                write!(f, "cannot use {} of {key}: {reason}", path.display())
            }
            Error::KeyAlone => f.write_str("CLIENT_KEY is set, but CLIENT_CERT is not"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Unreadable { source, .. } => Some(source),
            Error::Unusable { .. } | Error::KeyAlone => None,
        }
    }
}

impl Found {
    fn take_file(&mut self, key: &'static str, path: &Path) -> Result<(), Error> {
        for section in sections(key, path)? {
            self.take(key, path, section);
        }
        Ok(())
    }

    /// Takes all files of a folder; what else lies there is passed over.
    fn take_folder(&mut self, key: &'static str, folder: &Path) -> Result<(), Error> {
        let unreadable = |source| Error::Unreadable {
            key,
            path: folder.to_path_buf(),
            source,
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
            if paths.len() > FOLDER_FILES_MAX {
                let reason = format!("it holds more than {FOLDER_FILES_MAX} files");
                return Err(unusable(key, folder, reason));
            }
        }
        // A folder has no order of its own, and two runs should see the same.
        paths.sort_unstable();
        for path in paths {
            for section in sections(key, &path).unwrap_or_default() {
                self.take(key, &path, section);
            }
        }
        Ok(())
    }

    fn take(&mut self, key: &str, path: &Path, section: Section) {
        if !is_certificate(&section) {
            return;
        }
        let reason = match &section.der {
            Err(reason) => reason,
            Ok(der) if Certificate::parse(der).is_none() => "it is no certificate",
            Ok(der) => {
                if self.known.insert(der.clone()) {
                    self.certificates.push(der.clone());
                }
                return;
            }
        };
        self.bad += 1;
        if self.bad <= WARNINGS_MAX {
            let complaint = complaint(&section, reason);
            let warning = format!("{key}: {}: {complaint}", path.display());
            self.warnings.push(warning);
        }
    }
}

/// The first private key among the sections.
fn private_key(key: &'static str, path: &Path, sections: &[Section]) -> Result<Vec<u8>, Error> {
    let is_key = |section: &&Section| section.label.ends_with("PRIVATE KEY");
    let Some(section) = sections.iter().find(is_key) else {
        return Err(unusable(key, path, "it holds no private key"));
    };
    match &section.der {
        Ok(der) => Ok(der.clone()),
        Err(reason) => Err(unusable(key, path, complaint(section, reason))),
    }
}

/// The sections of a file. A file that begins as DER does is one certificate: so do Windows and
/// some appliances hand out their root.
fn sections(key: &'static str, path: &Path) -> Result<Vec<Section>, Error> {
    let bytes = read(path).map_err(|source| Error::Unreadable {
        key,
        path: path.to_path_buf(),
        source,
    })?;
    if bytes.starts_with(&[0x30, 0x82]) {
        return Ok(vec![Section {
            label: "CERTIFICATE".to_string(),
            line: 1,
            der: Ok(bytes),
        }]);
    }
    Ok(pem::sections(&bytes))
}

/// A whole file, if it is one: a pipe could keep us waiting, and a device for ever.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let reason = format!("it is longer than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::other(reason));
    }
    Ok(bytes)
}

/// The label, and those that older programs write (RFC 7468 §5.1). What OpenSSL calls trusted has
/// more after the certificate, which changes what it is good for, so it is none for us.
fn is_certificate(section: &Section) -> bool {
    ["CERTIFICATE", "X509 CERTIFICATE", "X.509 CERTIFICATE"].contains(&section.label.as_str())
}

fn complaint(section: &Section, reason: &str) -> String {
    let (label, line) = (section.label.to_lowercase(), section.line);
    format!("the {label} of line {line} cannot be used: {reason}")
}

fn unusable(key: &'static str, path: &Path, reason: impl Into<String>) -> Error {
    Error::Unusable {
        key,
        path: path.to_path_buf(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
