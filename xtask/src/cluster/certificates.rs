//! A CA, and what it signs for the parts of a control plane.

use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::Context;
use anyhow::Result;
use rcgen::BasicConstraints;
use rcgen::CertificateParams;
use rcgen::DistinguishedName;
use rcgen::DnType;
use rcgen::ExtendedKeyUsagePurpose;
use rcgen::IsCa;
use rcgen::Issuer;
use rcgen::KeyPair;
use rcgen::KeyUsagePurpose;
use rcgen::SanType;

/// Clients: the name of their files, their organisation, their name.
const CLIENTS: [(&str, &str, &str); 4] = [
    ("admin", "system:masters", "admin"),
    ("controller-manager", "", "system:kube-controller-manager"),
    ("scheduler", "", "system:kube-scheduler"),
    ("kubelet", "system:nodes", "system:node:127.0.0.1"),
];

/// Where a node in a virtual machine finds the API server.
pub(crate) const FROM_A_NODE: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 100);

/// Makes every certificate that a control plane needs, as PEM files in `folder`: `ca`, `apiserver`, those of the clients
/// (`.crt`, `.key`), that of a kubelet's own server, and the key pair of the service accounts (`sa.pub`, `sa.key`).
pub(super) fn make(folder: &Path) -> Result<()> {
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))
    };
    let mut ca = params("", "kmm-test-ca")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca_key = KeyPair::generate()?;
    write("ca.crt", ca.self_signed(&ca_key)?.pem())?;
    let ca = Issuer::new(ca, ca_key);
    let sign = |name: &str, params: CertificateParams| -> Result<()> {
        let key = KeyPair::generate()?;
        write(&format!("{name}.crt"), params.signed_by(&key, &ca)?.pem())?;
        write(&format!("{name}.key"), key.serialize_pem())
    };
    let mut server = params("", "kube-apiserver")?;
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    for address in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(10, 0, 0, 1), FROM_A_NODE] {
        server
            .subject_alt_names
            .push(SanType::IpAddress(IpAddr::V4(address)));
    }
    for name in ["localhost", "kubernetes", "kubernetes.default.svc"] {
        server.subject_alt_names.push(SanType::DnsName(name.try_into()?));
    }
    sign("apiserver", server)?;
    let mut kubelet = params("system:nodes", "system:node:127.0.0.1")?;
    kubelet.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    kubelet
        .subject_alt_names
        .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    sign("kubelet-server", kubelet)?;
    for (file, organisation, name) in CLIENTS {
        let mut client = params(organisation, name)?;
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        sign(file, client)?;
    }
    let accounts = KeyPair::generate()?;
    write("sa.key", accounts.serialize_pem())?;
    write("sa.pub", accounts.public_key_pem())
}

fn params(organisation: &str, name: &str) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    if !organisation.is_empty() {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organisation);
    }
    params.distinguished_name.push(DnType::CommonName, name);
    Ok(params)
}
