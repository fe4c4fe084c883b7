//! Resolve a Module for a kernel: which image, which commands.
#![allow(clippy::print_stdout, reason = "an example shows what it found")]

use anyhow::Context;
use kmm_core::api::Module;
use kmm_core::kernel::KernelVersion;
use kmm_core::module::Compiled;

const MODULE: &str = r#"{
  "metadata": {"name": "acme-nic", "namespace": "drivers"},
  "spec": {
    "selector": {"acme.example.com/nic": "true"},
    "moduleLoader": {"container": {
      "modprobe": {"moduleName": "acme_nic", "dirName": "/opt", "parameters": ["queues=8"]},
      "kernelMappings": [{
        "regexp": "^6\\.1\\.0-[0-9]+-amd64$",
        "containerImage": "registry.example.com/acme/nic-kmod:${KERNEL_FULL_VERSION}"
      }]
    }}
  }
}"#;

fn main() -> anyhow::Result<()> {
    let module: Module = serde_json::from_str(MODULE)?;
    let compiled = Compiled::new(&module);
    let resolved = compiled.resolve(&KernelVersion::new("6.1.0-37-amd64"))?;
    println!("image   {}", resolved.container_image);
    for command in resolved.commands()?.load {
        println!("load    {command}");
    }
    let refused = compiled
        .resolve(&KernelVersion::new("6.12.30"))
        .err()
        .context("no mapping takes it")?;
    println!("6.12.30 {refused}");
    Ok(())
}

#[test]
fn runs() {
    main().unwrap();
}
