# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_kmm_global_optspecs
    string join \n color= h/help V/version
end

function __fish_kmm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_kmm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_kmm_using_subcommand
    set -l cmd (__fish_kmm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c kmm -n "__fish_kmm_needs_command" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_needs_command" -s V -l version -d 'Print version'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "validate" -d 'Check manifests: YAML, schema, the rules of the admission webhook, and lints'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "resolve" -d 'Everything that a Module means for a kernel: mapping, image, build, signing, commands'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "explain" -d 'Why a node or kernel gets a Module or not, gate by gate, and what would change it'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "simulate" -d 'What the operator would do to nodes, step by step: a dry run in memory, without a cluster'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "coverage" -d 'Which kernels in use no mapping covers, and which mappings are never used'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "images" -d 'Every image that a set of kernels needs, for mirroring into a closed network'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "image" -d 'Whether images fit a kernel, and what is in them'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "preflight" -d 'What a kernel upgrade means for each Module, before a node boots it'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "modprobe" -d 'The exact modprobe command lines for a kernel'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "template" -d 'Expand image templates as the operator does'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "match" -d 'Try a mapping regexp on kernel versions, with the reason'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "decode" -d 'What messages of the kernel and of modprobe mean: cause, proof, and what mends it'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "modinfo" -d 'What kernel objects say of themselves, printed as `modinfo` prints it'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "depmod" -d 'Write the index of a module tree, `modules.dep` and its kind, as `depmod` writes it'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "crds" -d 'Print the CustomResourceDefinitions, for `kubectl apply --server-side -f -`'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "operator" -d 'Run the operator on a cluster'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "webhook" -d 'Serve the admission webhooks of a cluster, and the one that converts PreflightValidations'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c kmm -n "__fish_kmm_needs_command" -f -a "man" -d 'Print the manual page of a command, or write all of them into a folder'
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l explain -d 'Print the long text about a code, such as KMM1001, instead of checking' -r
complete -c kmm -n "__fish_kmm_using_subcommand validate" -s o -l output -d 'Format of the findings' -r -f -a "text\t'For people: source lines with carets'
json\t'One JSON document'
sarif\t'SARIF 2.1.0, for code hosts'"
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l old -d 'Check an update of the objects in FILE: rules about what may change' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l kubernetes -d 'Version of Kubernetes to check for, such as 1.33; the newest without it' -r
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l fix -d 'Apply the safe fixes to the files, keeping comments and layout, and report what is left'
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l unsafe-fixes -d 'With --fix, apply also what was most likely meant: misspelt names, regexps that match too much'
complete -c kmm -n "__fish_kmm_using_subcommand validate" -l strict -d 'Take warnings for errors'
complete -c kmm -n "__fish_kmm_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand resolve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l nodes -d 'Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l node -d 'Only the node of this name' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s n -l namespace -d 'With --cluster: only Modules of this namespace' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l kubeconfig -d 'With --cluster: kubeconfig; without it the usual places' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l context -d 'With --cluster: context of the kubeconfig; without it the current one' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l operator-namespace -d 'With --cluster: namespace of the operator, whose settings are read from its ConfigMap where that is allowed' -r
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand explain" -l cluster -d 'Explain the objects of a cluster, which are only read, and say what the operator makes of them now'
complete -c kmm -n "__fish_kmm_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -l nodes -d 'Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -l event -d 'Something that happens, once all has settled; may be given several times, in order' -r
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -l until -d 'How long to look on after the start and after each event: until nobody has anything left to do, or for a time such as 90s, 10m or 2h' -r
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -l all -d 'Show everything: also each write to the objects of the operator, and pods that do as they should'
complete -c kmm -n "__fish_kmm_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -l nodes -d 'Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand coverage" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand images" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand images" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand images" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand images" -l nodes -d 'Nodes, as `kubectl get nodes -o json` or `-o yaml` prints them; `-` is standard input' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand images" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand images" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand images" -l no-made -d 'Leave out the images that the operator builds or signs itself: they may not exist yet'
complete -c kmm -n "__fish_kmm_using_subcommand images" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand image; and not __fish_seen_subcommand_from check inspect" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand image; and not __fish_seen_subcommand_from check inspect" -s h -l help -d 'Print help'
complete -c kmm -n "__fish_kmm_using_subcommand image; and not __fish_seen_subcommand_from check inspect" -f -a "check" -d 'Prove that images fit a kernel, before a node sees them'
complete -c kmm -n "__fish_kmm_using_subcommand image; and not __fish_seen_subcommand_from check inspect" -f -a "inspect" -d 'What is in an image: kernels, modules, their versions and signatures'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l explain -d 'Print the long text about a code, such as KMM3001, instead of checking' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -s f -l file -d 'Manifest with Modules; with REF, the image is checked as if it were that of the Module. `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -s m -l module -d 'Without -f: name of the module to load. With -f: only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l dir-name -d 'Without -f: folder of the image that has lib/modules; /opt where it is not given' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; with REF and without it, every kernel that the image has modules for' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l symvers -d 'Module.symvers of the kernel: its symbols, with their checksums' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l kernel-tree -d 'The kernel\'s own modules, such as /lib/modules/6.1.0-9-amd64' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l platform -d 'Platform of the image, such as linux/arm64; without it, linux/amd64 of several, or the only one' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l cert -d 'Certificate, PEM or DER: every module that is loaded must be signed with the key of one of them' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l auth-file -d 'Credentials as docker and podman keep them, instead of the files in which they do' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l pull-secret -d 'Pull secret of Kubernetes, as `kubectl get secret NAME -o yaml` prints it; asked before other credentials' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l ca-file -d 'Certificates of authorities, PEM, beside those of the system' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -s o -l output -d 'Format of the findings' -r -f -a "text\t'For people: source lines with carets'
json\t'One JSON document'
sarif\t'SARIF 2.1.0, for code hosts'"
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l plain-http -d 'Allow plain HTTP, where a registry does not speak TLS'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -l skip-tls-verify -d 'Allow certificates of registries that are not trusted'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l platform -d 'Platform of the image, such as linux/arm64; without it, linux/amd64 of several, or the only one' -r
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l cert -d 'Certificate, PEM or DER, with which signatures are verified' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l auth-file -d 'Credentials as docker and podman keep them, instead of the files in which they do' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l pull-secret -d 'Pull secret of Kubernetes, as `kubectl get secret NAME -o yaml` prints it; asked before other credentials' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l ca-file -d 'Certificates of authorities, PEM, beside those of the system' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l plain-http -d 'Allow plain HTTP, where a registry does not speak TLS'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -l skip-tls-verify -d 'Allow certificates of registries that are not trusted'
complete -c kmm -n "__fish_kmm_using_subcommand image; and __fish_seen_subcommand_from inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -s k -l kernel -d 'The new kernel\'s version, as `uname -r` will print it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l symvers -d 'Module.symvers of the kernel: its symbols, with their checksums' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l kernel-tree -d 'The kernel\'s own modules, such as /lib/modules/6.1.0-9-amd64' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l platform -d 'Platform of the images, such as linux/arm64; without it, what the selector of the Module says, or linux/amd64 of several, or the only one' -r
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l cert -d 'Certificate, PEM or DER: every module that is loaded must be signed with the key of one of them' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l auth-file -d 'Credentials as docker and podman keep them, instead of the files in which they do' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l pull-secret -d 'Pull secret of Kubernetes, as `kubectl get secret NAME -o yaml` prints it; asked before other credentials' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l ca-file -d 'Certificates of authorities, PEM, beside those of the system' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l offline -d 'Ask no registry: only what the manifests say'
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l plain-http -d 'Allow plain HTTP, where a registry does not speak TLS'
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -l skip-tls-verify -d 'Allow certificates of registries that are not trusted'
complete -c kmm -n "__fish_kmm_using_subcommand preflight" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -s f -l file -d 'Manifest with Modules, and with ConfigMaps and Nodes where they help; `-` is standard input. May be given several times' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -s m -l module -d 'Only the Module of this name, or namespace and name' -r
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -s k -l kernel -d 'Kernel version, as `uname -r` prints it; may be given several times' -r
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -l form -d 'Who runs the commands' -r -f -a "worker\t'The worker pod, which finds the content of the image below /tmp'
container\t'A driver container, started from the image itself'"
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -l unload -d 'The commands that unload, instead of those that load'
complete -c kmm -n "__fish_kmm_using_subcommand modprobe" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand template" -s k -l kernel -d 'Kernel version, as `uname -r` prints it' -r
complete -c kmm -n "__fish_kmm_using_subcommand template" -l name -d 'Name of the Module: the value of MOD_NAME' -r
complete -c kmm -n "__fish_kmm_using_subcommand template" -l namespace -d 'Namespace of the Module: the value of MOD_NAMESPACE' -r
complete -c kmm -n "__fish_kmm_using_subcommand template" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand template" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand template" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand match" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand match" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand match" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand decode" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand decode" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s F -l field -d 'Only the values of this field' -r
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s k -l set-version -d 'Kernel of the tree in which names are looked up; the running one without it' -r
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s b -l basedir -d 'Folder that has lib/modules' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s o -l output -d 'Format of the answer' -r -f -a "text\t'For people'
json\t'One JSON document'
yaml\t'The same as YAML'"
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s a -l author -d 'Only the authors: -F author'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s d -l description -d 'Only the description: -F description'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s l -l license -d 'Only the license: -F license'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s p -l parameters -d 'Only the parameters: -F parm'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s n -l filename -d 'Only the file name: -F filename'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s 0 -l null -d 'End lines with NUL instead of a line feed'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s m -l modname -d 'Take every argument for the name of a module, never for a file'
complete -c kmm -n "__fish_kmm_using_subcommand modinfo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s b -l basedir -d 'Folder that has lib/modules' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s E -l symvers -d 'Module.symvers of the kernel, against which -e checks names and checksums' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s F -l filesyms -d 'System.map of the kernel, against which -e checks names' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s C -l config -d 'Configuration: folder or file, instead of /etc/depmod.d and its kind' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s P -l symbol-prefix -d 'Character that symbols of this architecture start with' -r
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -l format -d 'Release of kmod whose files are written: 33 adds modules.weakdep' -r -f -a "30\t'kmod 30 to 32'
33\t'kmod 33 and later'"
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s a -l all -d 'Index all modules, which is what happens without it too'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s A -l quick -d 'Do nothing if no module is newer than modules.dep'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s n -l show -d 'Print the text files instead of writing'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s e -l errsyms -d 'Report symbols that are missing or differ, a line for each module; then the exit code is 1'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s w -l warn -d 'Report what an index has twice'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -l gzip -d 'Take .ko.gz for modules, as a depmod that is built with zlib does'
complete -c kmm -n "__fish_kmm_using_subcommand depmod" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand crds" -l webhook -d 'Service of the webhook that converts PreflightValidations between their versions' -r
complete -c kmm -n "__fish_kmm_using_subcommand crds" -s o -l output -d 'Format of the definitions' -r -f -a "yaml\t'One YAML document for each object'
json\t'One JSON document: a `List` of the objects'"
complete -c kmm -n "__fish_kmm_using_subcommand crds" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand crds" -l hub -d 'Those of a hub, which hands Modules out to other clusters, instead of those of a cluster with nodes'
complete -c kmm -n "__fish_kmm_using_subcommand crds" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l config -d 'Configuration file, with the keys of the Go operator, and not the name of a ConfigMap as there; `-` is standard input. Without it all is as by default' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l kubeconfig -d 'Kubeconfig; without it the usual places, or the service account of the pod' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l context -d 'Context of the kubeconfig; without it the current one' -r
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l log-format -d 'Format of the log, which goes to standard error' -r -f -a "text\t'For people'
json\t'One JSON object for each message'"
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l log-level -d 'Least severe messages that are logged' -r -f -a "error\t'What went wrong'
warn\t'What is tried again'
info\t'What is written'
debug\t'Every new reason, and what is put off'
trace\t'The same as `debug`: there is nothing more to tell'"
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l worker-image -d 'Image of the worker, else the value of RELATED_IMAGE_WORKER' -r
complete -c kmm -n "__fish_kmm_using_subcommand operator" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand operator" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l config -d 'Configuration file, with the keys of the Go operator, and not the name of a ConfigMap as there; `-` is standard input. Without it all is as by default' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l kubeconfig -d 'Kubeconfig; without it the usual places, or the service account of the pod' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l context -d 'Context of the kubeconfig; without it the current one' -r
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l log-format -d 'Format of the log, which goes to standard error' -r -f -a "text\t'For people'
json\t'One JSON object for each message'"
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l log-level -d 'Least severe messages that are logged' -r -f -a "error\t'What went wrong'
warn\t'What is tried again'
info\t'What is written'
debug\t'Every new reason, and what is put off'
trace\t'The same as `debug`: there is nothing more to tell'"
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l cert-dir -d 'Folder with tls.crt and tls.key, instead of `webhooks.certDir` of the configuration. They are read again when they change' -r
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand webhook" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c kmm -n "__fish_kmm_using_subcommand completions" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand completions" -s h -l help -d 'Print help'
complete -c kmm -n "__fish_kmm_using_subcommand man" -l dir -d 'Write the pages of all commands into this folder instead' -r -F
complete -c kmm -n "__fish_kmm_using_subcommand man" -l color -d 'When to use colours; NO_COLOR is honoured' -r -f -a "auto\t''
always\t''
never\t''"
complete -c kmm -n "__fish_kmm_using_subcommand man" -s h -l help -d 'Print help'
