//! The command line of `kmm`: types only.

use std::path::PathBuf;

#[cfg(feature = "cluster")]
use clap::ArgGroup;
use clap::Args;
use clap::CommandFactory;
use clap::FromArgMatches;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;

/// Explains, checks and previews Kernel Module Management manifests and images, and is the operator.
///
/// Exit codes: 0 the answer is yes, 1 the answer is no, 2 no answer could be had.
#[derive(Debug, Parser)]
#[command(name = "kmm", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// When to use colours; NO_COLOR is honoured.
    #[arg(long, global = true, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub color: Colour,
    #[command(subcommand)]
    pub command: Command,
}

/// Reads the command line of this process.
///
/// Called by the name `kubectl-kmm`, under which kubectl finds it, it calls itself `kubectl kmm` in its help.
pub fn parse() -> Cli {
    let program = std::env::args_os().next();
    let name = program.as_deref().map(std::path::Path::new);
    if name.and_then(std::path::Path::file_name) != Some("kubectl-kmm".as_ref()) {
        return Cli::parse();
    }
    let matches = Cli::command().bin_name("kubectl kmm").get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check manifests: YAML, schema, the rules of the admission webhook, and lints.
    Validate(Validate),
    /// Everything that a Module means for a kernel: mapping, image, build, signing, commands.
    Resolve(Resolve),
    /// Why a node or kernel gets a Module or not, gate by gate, and what would change it.
    Explain(Explain),
    /// What the operator would do to nodes, step by step: a dry run in memory, without a cluster.
    Simulate(Simulate),
    /// Which kernels in use no mapping covers, and which mappings are never used.
    Coverage(Coverage),
    /// Every image that a set of kernels needs, for mirroring into a closed network.
    Images(Images),
    /// Whether images fit a kernel, and what is in them.
    #[command(subcommand)]
    Image(Image),
    /// What a kernel upgrade means for each Module, before a node boots it.
    ///
    /// Exit codes: 0 all will load, 1 an image must be built or a module will not load, 2 that of one could not be told.
    Preflight(Preflight),
    /// The exact modprobe command lines for a kernel.
    Modprobe(Modprobe),
    /// Expand image templates as the operator does.
    Template(Template),
    /// Try a mapping regexp on kernel versions, with the reason.
    Match(Match),
    /// What messages of the kernel and of modprobe mean: cause, proof, and what mends it.
    Decode(Decode),
    /// What kernel objects say of themselves, printed as `modinfo` prints it.
    Modinfo(Modinfo),
    /// Write the index of a module tree, `modules.dep` and its kind, as `depmod` writes it.
    Depmod(Depmod),
    /// Print the CustomResourceDefinitions, for `kubectl apply --server-side -f -`.
    #[cfg(feature = "cluster")]
    Crds(Crds),
    /// Run the operator on a cluster.
    ///
    /// One of several operators is at work, by a Lease in the namespace that OPERATOR_NAMESPACE names; without it in that of
    /// the service account, or of the kubeconfig's context. Operators with Leases in different namespaces do not know of each
    /// other.
    #[cfg(feature = "cluster")]
    Operator(Operator),
    /// Serve the admission webhooks of a cluster, and the one that converts PreflightValidations.
    #[cfg(feature = "cluster")]
    Webhook(Webhook),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Print the manual page of a command, or write all of them into a folder.
    Man(Man),
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Manifests to check; `-` is standard input.
    #[arg(value_name = "FILE", required_unless_present = "explain")]
    pub files: Vec<PathBuf>,
    /// Print the long text about a code, such as KMM1001, instead of checking.
    #[arg(long, value_name = "CODE", conflicts_with_all = ["files", "fix", "old"])]
    pub explain: Option<String>,
    /// Format of the findings.
    #[arg(short, long, value_enum, default_value_t = FindingsFormat::Text, value_name = "FORMAT")]
    pub output: FindingsFormat,
    /// Apply the safe fixes to the files, keeping comments and layout, and report what is left.
    ///
    /// A fix is safe when every kernel gets the same as before. Standard input is fixed to standard output.
    #[arg(long, conflicts_with = "output")]
    pub fix: bool,
    /// With --fix, apply also what was most likely meant: misspelt names, regexps that match too much.
    #[arg(long, requires = "fix")]
    pub unsafe_fixes: bool,
    /// Take warnings for errors.
    #[arg(long)]
    pub strict: bool,
    /// Check an update of the objects in FILE: rules about what may change.
    #[arg(long, value_name = "FILE")]
    pub old: Option<PathBuf>,
    /// Version of Kubernetes to check for, such as 1.33; the newest without it.
    #[arg(long, value_name = "VERSION", value_parser = parse_kubernetes_version)]
    pub kubernetes: Option<(u32, u32)>,
}

#[derive(Debug, Args)]
pub struct Manifests {
    /// Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several
    /// times.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only the Module of this name, or namespace and name.
    #[arg(short = 'm', long, value_name = "[NAMESPACE/]NAME")]
    pub module: Option<String>,
}

#[derive(Debug, Args)]
pub struct Resolve {
    #[command(flatten)]
    pub manifests: Manifests,
    /// Kernel version, as `uname -r` prints it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", required = true, value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
#[cfg_attr(feature = "cluster", command(group(ArgGroup::new("source").required(true))))]
pub struct Explain {
    /// Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several
    /// times.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    #[cfg_attr(not(feature = "cluster"), arg(required = true))]
    #[cfg_attr(feature = "cluster", arg(group = "source"))]
    pub files: Vec<PathBuf>,
    /// Only the Module of this name, or namespace and name.
    #[arg(short = 'm', long, value_name = "[NAMESPACE/]NAME")]
    pub module: Option<String>,
    /// Kernel version, as `uname -r` prints it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    /// Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// Only the node of this name.
    #[arg(long, value_name = "NAME")]
    pub node: Option<String>,
    /// Only this Module, as with -m.
    #[arg(value_name = "MODULE", conflicts_with = "module")]
    pub only_module: Option<String>,
    /// Only this node, as with --node. With --cluster and without it, those that the selector takes.
    #[arg(value_name = "NODE", conflicts_with = "node")]
    pub only_node: Option<String>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    pub live: Live,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

/// Explaining what is in a cluster, instead of files.
//
// clap does not look at `requires = "cluster"` where something is given that `--cluster` does not go with: so each says so itself.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct Live {
    /// Explain the objects of a cluster, which are only read, and say what the operator makes of them now.
    #[arg(long, group = "source", conflicts_with_all = ["kernels", "nodes"])]
    pub cluster: bool,
    /// With --cluster: only Modules of this namespace.
    #[arg(
        short,
        long,
        value_name = "NAMESPACE",
        requires = "cluster",
        conflicts_with = "files"
    )]
    pub namespace: Option<String>,
    /// With --cluster: kubeconfig; without it the usual places.
    #[arg(long, value_name = "FILE", requires = "cluster", conflicts_with = "files")]
    pub kubeconfig: Option<PathBuf>,
    /// With --cluster: context of the kubeconfig; without it the current one.
    #[arg(long, value_name = "NAME", requires = "cluster", conflicts_with = "files")]
    pub context: Option<String>,
    /// With --cluster: namespace of the operator, whose settings are read from its ConfigMap where that is allowed.
    #[arg(
        long,
        value_name = "NAMESPACE",
        requires = "cluster",
        conflicts_with = "files",
        default_value = "kmm-operator-system"
    )]
    pub operator_namespace: String,
}

/// The help of `--event`.
const EVENT_HELP: &str = "\
Something that happens, once all has settled; may be given several times, in order.

  reboot NODE [kernel=KERNEL]              the node is started anew
  cordon NODE, uncordon NODE
  label NODE KEY=VALUE, label NODE KEY-    a label is set, or taken off
  apply FILE                               the Modules of a file are created or changed
  delete [NAMESPACE/]MODULE                a Module is deleted
  pull-fails IMAGE, pull-works IMAGE       the image is not in its registry any more, or again
  load-fails NODE MODULE [REASON...], load-works NODE MODULE
                                           the kernel of the node does not take the module, or does again
  start                                    the operator starts: what stands before it is so from the beginning";

#[derive(Debug, Args)]
pub struct Simulate {
    #[command(flatten)]
    pub manifests: Manifests,
    /// Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    #[arg(
        long = "event",
        value_name = "EVENT",
        help = "Something that happens, once all has settled; may be given several times, in order",
        long_help = EVENT_HELP
    )]
    pub events: Vec<String>,
    /// How long to look on after the start and after each event: until nobody has anything left to do, or for a time such
    /// as 90s, 10m or 2h.
    #[arg(long, value_name = "settled|TIME", default_value = "settled")]
    pub until: String,
    /// Show everything: also each write to the objects of the operator, and pods that do as they should.
    #[arg(long)]
    pub all: bool,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Coverage {
    #[command(flatten)]
    pub manifests: Manifests,
    /// Kernel version, as `uname -r` prints it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    /// Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Images {
    #[command(flatten)]
    pub manifests: Manifests,
    /// Kernel version, as `uname -r` prints it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    /// Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub nodes: Option<PathBuf>,
    /// Leave out the images that the operator builds or signs itself: they may not exist yet.
    #[arg(long)]
    pub no_made: bool,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Subcommand)]
pub enum Image {
    /// Prove that images fit a kernel, before a node sees them.
    ///
    /// Exit codes: 0 all fit, 1 one does not, 2 that of one could not be told.
    Check(ImageCheck),
    /// What is in an image: kernels, modules, their versions and signatures.
    Inspect(ImageInspect),
}

#[derive(Debug, Args)]
pub struct ImageCheck {
    /// Images: `REPO[:TAG][@DIGEST]`, `oci:PATH[:TAG]`, `oci-archive:PATH[:TAG]`, `docker-archive:PATH[:TAG]`, `dir:PATH`;
    /// `-` is an archive from standard input. Those that the Modules of -f name without one.
    #[arg(value_name = "REF", required_unless_present_any = ["files", "explain"])]
    pub images: Vec<String>,
    /// Print the long text about a code, such as KMM3001, instead of checking.
    #[arg(long, value_name = "CODE", exclusive = true)]
    pub explain: Option<String>,
    /// Manifest with Modules; with REF, the image is checked as if it were that of the Module. `-` is standard input. May be
    /// given several times.
    #[arg(short = 'f', long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Without -f: name of the module to load. With -f: only the Module of this name, or namespace and name.
    #[arg(short = 'm', long, value_name = "NAME")]
    pub module: Option<String>,
    /// Without -f: folder of the image that has lib/modules; /opt where it is not given.
    #[arg(long, value_name = "DIR", conflicts_with = "files")]
    pub dir_name: Option<String>,
    /// Kernel version, as `uname -r` prints it; with REF and without it, every kernel that the image has modules for.
    #[arg(short, long = "kernel", value_name = "KERNEL", value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    #[command(flatten)]
    pub facts: KernelFacts,
    /// Platform of the image, such as linux/arm64; without it, linux/amd64 of several, or the only one.
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<String>,
    /// Certificate, PEM or DER: every module that is loaded must be signed with the key of one of them.
    #[arg(long = "cert", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    #[command(flatten)]
    pub registry: RegistryAccess,
    /// Format of the findings.
    #[arg(short, long, value_enum, default_value_t = FindingsFormat::Text, value_name = "FORMAT")]
    pub output: FindingsFormat,
}

#[derive(Debug, Args)]
pub struct ImageInspect {
    /// Images: `REPO[:TAG][@DIGEST]`, `oci:PATH[:TAG]`, `oci-archive:PATH[:TAG]`, `docker-archive:PATH[:TAG]`, `dir:PATH`;
    /// `-` is an archive from standard input.
    #[arg(value_name = "REF", required = true)]
    pub images: Vec<String>,
    /// Platform of the image, such as linux/arm64; without it, linux/amd64 of several, or the only one.
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<String>,
    /// Certificate, PEM or DER, with which signatures are verified.
    #[arg(long = "cert", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    #[command(flatten)]
    pub registry: RegistryAccess,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

/// Where the symbols of a kernel are found.
#[derive(Debug, Args)]
pub struct KernelFacts {
    /// Module.symvers of the kernel: its symbols, with their checksums.
    #[arg(long, value_name = "FILE")]
    pub symvers: Option<PathBuf>,
    /// The kernel's own modules, such as /lib/modules/6.1.0-9-amd64.
    #[arg(long, value_name = "DIR")]
    pub kernel_tree: Option<PathBuf>,
}

/// How registries are reached.
#[derive(Debug, Args)]
pub struct RegistryAccess {
    /// Credentials as docker and podman keep them, instead of the files in which they do.
    #[arg(long, value_name = "FILE")]
    pub auth_file: Option<PathBuf>,
    /// Pull secret of Kubernetes, as `kubectl get secret NAME -o yaml` prints it; asked before other credentials.
    #[arg(long, value_name = "FILE")]
    pub pull_secret: Vec<PathBuf>,
    /// Allow plain HTTP, where a registry does not speak TLS.
    #[arg(long)]
    pub plain_http: bool,
    /// Allow certificates of registries that are not trusted.
    #[arg(long)]
    pub skip_tls_verify: bool,
    /// Certificates of authorities, PEM, beside those of the system.
    #[arg(long, value_name = "FILE")]
    pub ca_file: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Preflight {
    #[command(flatten)]
    pub manifests: Manifests,
    /// The new kernel's version, as `uname -r` will print it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", required = true, value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    #[command(flatten)]
    pub facts: KernelFacts,
    /// Platform of the images, such as linux/arm64; without it, what the selector of the Module says, or linux/amd64 of
    /// several, or the only one.
    #[arg(long, value_name = "OS/ARCH")]
    pub platform: Option<String>,
    /// Certificate, PEM or DER: every module that is loaded must be signed with the key of one of them.
    #[arg(long = "cert", value_name = "FILE")]
    pub certificates: Vec<PathBuf>,
    /// Ask no registry: only what the manifests say.
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub registry: RegistryAccess,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Modprobe {
    #[command(flatten)]
    pub manifests: Manifests,
    /// Kernel version, as `uname -r` prints it; may be given several times.
    #[arg(short, long = "kernel", value_name = "KERNEL", required = true, value_parser = parse_kernel)]
    pub kernels: Vec<String>,
    /// The commands that unload, instead of those that load.
    #[arg(long)]
    pub unload: bool,
    /// Who runs the commands.
    #[arg(long, value_enum, default_value_t = Form::Worker)]
    pub form: Form,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The worker pod, which finds the content of the image below /tmp.
    Worker,
    /// A driver container, started from the image itself.
    Container,
}

#[derive(Debug, Args)]
pub struct Template {
    /// Templates, such as `registry.example.com/kmod:${KERNEL_FULL_VERSION}`.
    #[arg(value_name = "TEMPLATE", required = true)]
    pub templates: Vec<String>,
    /// Kernel version, as `uname -r` prints it.
    #[arg(short, long, value_name = "KERNEL", value_parser = parse_kernel)]
    pub kernel: String,
    /// Name of the Module: the value of MOD_NAME.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Namespace of the Module: the value of MOD_NAMESPACE.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Match {
    /// Regexp in Go's dialect, as in `kernelMappings[].regexp`.
    #[arg(value_name = "REGEXP", allow_hyphen_values = true)]
    pub regexp: String,
    /// Kernel versions, as `uname -r` prints them.
    #[arg(value_name = "KERNEL", required = true)]
    pub kernels: Vec<String>,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Decode {
    /// Log of the kernel (dmesg), or what modprobe printed; standard input without it, or for `-`.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT")]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Modinfo {
    /// Kernel objects (.ko, .ko.gz, .ko.xz, .ko.zst), or names of modules in a tree; `-` is standard input.
    #[arg(value_name = "FILE|NAME", required = true)]
    pub modules: Vec<String>,
    /// Only the values of this field.
    #[arg(short = 'F', long, value_name = "FIELD", group = "only")]
    pub field: Option<String>,
    /// Only the authors: -F author.
    #[arg(short, long, group = "only")]
    pub author: bool,
    /// Only the description: -F description.
    #[arg(short, long, group = "only")]
    pub description: bool,
    /// Only the license: -F license.
    #[arg(short, long, group = "only")]
    pub license: bool,
    /// Only the parameters: -F parm.
    #[arg(short, long, group = "only")]
    pub parameters: bool,
    /// Only the file name: -F filename.
    #[arg(short = 'n', long, group = "only")]
    pub filename: bool,
    /// End lines with NUL instead of a line feed.
    #[arg(short = '0', long)]
    pub null: bool,
    /// Take every argument for the name of a module, never for a file.
    #[arg(short, long)]
    pub modname: bool,
    /// Kernel of the tree in which names are looked up; the running one without it.
    #[arg(short = 'k', long, value_name = "VERSION")]
    pub set_version: Option<String>,
    /// Folder that has lib/modules.
    #[arg(short, long, value_name = "DIR", default_value = "/")]
    pub basedir: PathBuf,
    /// Format of the answer.
    #[arg(short, long, value_enum, default_value_t = DataFormat::Text, value_name = "FORMAT", conflicts_with_all = ["only", "null"])]
    pub output: DataFormat,
}

#[derive(Debug, Args)]
pub struct Depmod {
    /// Kernel of the tree; the running one without it.
    #[arg(value_name = "VERSION")]
    pub version: Option<String>,
    /// Folder that has lib/modules.
    #[arg(short, long, value_name = "DIR", default_value = "/")]
    pub basedir: PathBuf,
    /// Index all modules, which is what happens without it too.
    #[arg(short, long)]
    pub all: bool,
    /// Do nothing if no module is newer than modules.dep.
    #[arg(short = 'A', long, conflicts_with = "all")]
    pub quick: bool,
    /// Print the text files instead of writing.
    #[arg(short = 'n', long)]
    pub show: bool,
    /// Report symbols that are missing or differ, a line for each module; then the exit code is 1.
    #[arg(short, long, requires = "symbols")]
    pub errsyms: bool,
    /// Module.symvers of the kernel, against which -e checks names and checksums.
    #[arg(short = 'E', long, value_name = "FILE", group = "symbols")]
    pub symvers: Option<PathBuf>,
    /// System.map of the kernel, against which -e checks names.
    #[arg(short = 'F', long, value_name = "FILE", group = "symbols")]
    pub filesyms: Option<PathBuf>,
    /// Configuration: folder or file, instead of /etc/depmod.d and its kind.
    #[arg(short = 'C', long, value_name = "PATH")]
    pub config: Vec<PathBuf>,
    /// Report what an index has twice.
    #[arg(short, long)]
    pub warn: bool,
    /// Character that symbols of this architecture start with.
    #[arg(short = 'P', long, value_name = "CHAR")]
    pub symbol_prefix: Option<char>,
    /// Release of kmod whose files are written: 33 adds modules.weakdep.
    #[arg(long, value_enum, default_value_t = KmodFormat::V30, value_name = "KMOD")]
    pub format: KmodFormat,
    /// Take .ko.gz for modules, as a depmod that is built with zlib does.
    #[arg(long)]
    pub gzip: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum KmodFormat {
    /// kmod 30 to 32.
    #[value(name = "30")]
    V30,
    /// kmod 33 and later.
    #[value(name = "33")]
    V33,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct Crds {
    /// Those of a hub, which hands Modules out to other clusters, instead of those of a cluster with nodes.
    #[arg(long)]
    pub hub: bool,
    /// Service of the webhook that converts PreflightValidations between their versions.
    ///
    /// Without it the API server converts them itself; a status is then seen only in the newest version.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = parse_service)]
    pub webhook: Option<(String, String)>,
    /// Format of the definitions.
    #[arg(short, long, value_enum, default_value_t = ObjectsFormat::Yaml, value_name = "FORMAT")]
    pub output: ObjectsFormat,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct Operator {
    #[command(flatten)]
    pub server: Server,
    /// Image of the worker, else the value of RELATED_IMAGE_WORKER.
    #[arg(long, value_name = "IMAGE")]
    pub worker_image: Option<String>,
}

#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct Webhook {
    #[command(flatten)]
    pub server: Server,
    /// Folder with tls.crt and tls.key, instead of `webhooks.certDir` of the configuration. They are read again when they
    /// change.
    #[arg(long, value_name = "FOLDER")]
    pub cert_dir: Option<String>,
}

/// A program that runs until it is stopped.
#[cfg(feature = "cluster")]
#[derive(Debug, Args)]
pub struct Server {
    /// Configuration file, with the keys of the Go operator, and not the name of a ConfigMap as there; `-` is standard
    /// input. Without it all is as by default.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Kubeconfig; without it the usual places, or the service account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig; without it the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Format of the log, which goes to standard error.
    #[arg(long, value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Least severe messages that are logged.
    #[arg(long, value_enum, default_value_t = LogLevel::Info, value_name = "LEVEL")]
    pub log_level: LogLevel,
}

#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object for each message.
    Json,
}

#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// What went wrong.
    Error,
    /// What is tried again.
    Warn,
    /// What is written.
    Info,
    /// Every new reason, and what is put off.
    Debug,
    /// The same as `debug`: there is nothing more to tell.
    Trace,
}

#[cfg(feature = "cluster")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ObjectsFormat {
    /// One YAML document for each object.
    Yaml,
    /// One JSON document: a `List` of the objects.
    Json,
}

#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub struct Man {
    /// Command to describe, such as `explain` or `image check`; `kmm` itself without it.
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,
    /// Write the pages of all commands into this folder instead.
    #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
    pub dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FindingsFormat {
    /// For people: source lines with carets.
    Text,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code hosts.
    Sarif,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DataFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// The same as YAML.
    Yaml,
}

/// An empty one is what an unset variable of a shell leaves: the answer about it would be a "no" that nobody asked for.
fn parse_kernel(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(char::is_whitespace) {
        return Err("expected a kernel version, as `uname -r` prints it".to_owned());
    }
    Ok(text.to_owned())
}

fn parse_kubernetes_version(text: &str) -> Result<(u32, u32), String> {
    let (major, rest) = text.trim_start_matches('v').split_once('.').unwrap_or((text, ""));
    let minor = rest.split('.').next().unwrap_or("");
    match (major.parse(), minor.parse()) {
        (Ok(major), Ok(minor)) => Ok((major, minor)),
        _ => Err("expected major and minor version, such as 1.34".to_owned()),
    }
}

#[cfg(feature = "cluster")]
fn parse_service(text: &str) -> Result<(String, String), String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        Some(_) | None => Err("expected namespace and name, such as kmm/webhook".to_owned()),
    }
}
