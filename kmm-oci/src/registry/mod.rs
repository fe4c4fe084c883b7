//! Images in a registry.
//!
//! [`Registry`] is the client, asynchronous inside; [`RegistryStore`] is one image in it, for threads that block.
//! Nothing here reads the environment: proxies, CA files, credentials and mirrors are given in [`Options`].
//!
//! What surprises:
//! - a registry that speaks plain HTTP, or whose certificate is not trusted, is refused unless [`Options::tls`] or
//!   `registries.conf` says otherwise, on the loopback too;
//! - a password never goes to another host than the registry and the token server that it names, and to that one over
//!   TLS only, unless the registry itself speaks plain HTTP;
//! - a digest in the manifest's name is checked here; the digest of a blob is checked by whoever reads it, because only
//!   the reader has all of its bytes.
//!
//! The crate `oci-client` is not used: it reads manifests, errors and tokens without a bound, follows redirects and token
//! servers wherever they lead, and neither retries nor resumes.

mod auth;
mod blob;
mod certs_d;
mod challenge;
mod client;
mod error;
mod http;
mod mirrors;
mod options;
mod retry;
mod store;

pub use blob::BlobStream;
pub use certs_d::CertsD;
pub use certs_d::CertsDError;
pub use challenge::Challenge;
pub use client::Existence;
pub use client::Registry;
pub use error::ErrorKind;
pub use error::RegistryError;
pub use mirrors::RegistriesConf;
pub use mirrors::RegistriesConfError;
pub use mirrors::registries_files;
pub use options::Limits;
pub use options::Options;
pub use options::OptionsError;
pub use options::Proxy;
pub use options::Tls;
pub use store::RegistryStore;
