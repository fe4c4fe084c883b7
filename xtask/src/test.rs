//! `cargo xtask test`: the real parts, then every test.

use anyhow::Context;
use anyhow::Result;

use crate::cluster;
use crate::demo;
use crate::differential;
use crate::generate;
use crate::image_checks;
use crate::image_speed;
use crate::images;
use crate::kernels;
use crate::layers;
use crate::node;
use crate::oracle;
use crate::podman;
use crate::preflight;
use crate::registry;
use crate::soak;
use crate::steps;
use crate::steps::Steps;
use crate::vm;

/// Random inputs of each kind that are compared with Go in one run.
const INPUTS: usize = 20_000;

/// Schedules of faults in one run.
const SCHEDULES: u64 = 100_000;

/// What the random inputs and the schedules are made from: a change is judged by its own faults, so every run has the
/// same ones. `cargo xtask differential` and `cargo xtask soak` take others each time.
const SEED: u64 = 2_026;

pub(crate) fn run() -> Result<()> {
    let cargo = steps::cargo();
    let mut steps = Steps::default();
    let go = steps.step("build the Go oracle", oracle::build)?;
    steps.step("tests of the workspace", || {
        steps::run(&cargo, &["test", "--workspace", "--quiet"])
    })?;
    steps.step("tests of kmm-core without features", || {
        steps::run(
            &cargo,
            &[
                "test",
                "--quiet",
                "--package",
                "kmm-core",
                "--no-default-features",
            ],
        )
    })?;
    steps.step("kmm-core without an operating system", without_os)?;
    steps.step("the main job on the examples", || {
        demo::run(demo::Output::OfFailures)
    })?;
    steps.step("generated documents are up to date", || {
        generate::run(generate::Mode::Check)
    })?;
    steps.step("same answers as Go", || differential::run(&go, INPUTS, SEED))?;
    steps.step("faults in every order", || soak::schedules(SCHEDULES, SEED))?;
    steps.step("seeded mistakes are found", || soak::mistakes(SEED))?;
    let kernels = steps.step("set up Debian kernels, headers and kmod", kernels::set_up)?;
    steps.step("same bytes as kmod", || kernels::compare(&kernels, &[], SEED))?;
    steps.step("checks of images made from real modules", || {
        image_checks::compare(&kernels.headers)
    })?;
    let images = steps.step("make images with skopeo, umoci and buildah", layers::set_up)?;
    steps.step("same files as umoci unpacks", || layers::compare(&images))?;
    steps.step("the worker in containers", podman::check)?;
    steps.step("the worker on real kernels", || vm::run(&[]))?;
    steps.step("preflight on images in a registry", || {
        preflight::compare(&kernels.headers)
    })?;
    steps.step("a large image in little memory", || {
        image_speed::bounded(&kernels.headers)
    })?;
    steps.step("registries of every form", || registry::check(&images))?;
    steps.step(
        "a Kubernetes control plane takes the CRDs and the examples",
        cluster::command,
    )?;
    steps.step("the operator on that control plane", || cluster::operator(&[]))?;
    steps.step(
        "manifests and chart, and the guides of installation and migration",
        cluster::manifests,
    )?;
    steps.step("the images of operator and worker", || {
        images::build(images::Made::ForTests)
    })?;
    steps.step("a kubelet on this machine, whose kernel refuses", || {
        node::command(&["local"])
    })?;
    steps.step("a kubelet and a kernel that takes modules", || {
        node::command(&["machine"])
    })?;
    steps.summary();
    Ok(())
}

/// Builds the core for a target without an operating system.
fn without_os() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let installed = std::process::Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let there =
        installed.is_ok_and(|out| std::path::Path::new(String::from_utf8_lossy(&out.stdout).trim()).is_dir());
    if !there {
        steps::run("rustup", &["target", "add", TARGET])
            .with_context(|| format!("the toolchain has no standard library for {TARGET}"))?;
    }
    steps::run(
        &steps::cargo(),
        &["check", "--package", "kmm-core", "--target", TARGET],
    )
}
