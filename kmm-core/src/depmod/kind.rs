//! The files of an index, and their names.

/// A file of an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileKind {
    /// `modules.dep`: each module with all that it needs.
    Dependencies,
    /// `modules.dep.bin`
    DependenciesBinary,
    /// `modules.alias`: the aliases of each module.
    Aliases,
    /// `modules.alias.bin`
    AliasesBinary,
    /// `modules.softdep`: what a module should be loaded with.
    SoftDependencies,
    /// `modules.weakdep`: what a module may load later itself.
    WeakDependencies,
    /// `modules.symbols`: which module has a symbol.
    Symbols,
    /// `modules.symbols.bin`
    SymbolsBinary,
    /// `modules.builtin.bin`: the names of the modules that are part of the kernel.
    BuiltinBinary,
    /// `modules.builtin.alias.bin`: their aliases.
    BuiltinAliasesBinary,
    /// `modules.devname`: device nodes of modules that are loaded when these are opened.
    DeviceNames,
}

impl FileKind {
    /// All files, in the order in which `depmod` writes them.
    pub(crate) const ALL: [Self; 11] = [
        Self::Dependencies,
        Self::DependenciesBinary,
        Self::Aliases,
        Self::AliasesBinary,
        Self::SoftDependencies,
        Self::WeakDependencies,
        Self::Symbols,
        Self::SymbolsBinary,
        Self::BuiltinBinary,
        Self::BuiltinAliasesBinary,
        Self::DeviceNames,
    ];

    /// Its name in the folder of the tree.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dependencies => "modules.dep",
            Self::DependenciesBinary => "modules.dep.bin",
            Self::Aliases => "modules.alias",
            Self::AliasesBinary => "modules.alias.bin",
            Self::SoftDependencies => "modules.softdep",
            Self::WeakDependencies => "modules.weakdep",
            Self::Symbols => "modules.symbols",
            Self::SymbolsBinary => "modules.symbols.bin",
            Self::BuiltinBinary => "modules.builtin.bin",
            Self::BuiltinAliasesBinary => "modules.builtin.alias.bin",
            Self::DeviceNames => "modules.devname",
        }
    }

    /// Whether it is for machines only; `depmod -n` leaves these out.
    pub(crate) fn is_binary(self) -> bool {
        self.name().ends_with(".bin")
    }
}
