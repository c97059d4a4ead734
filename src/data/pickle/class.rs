//! The names a pickle may mention.

/// What a name stands for. None of these is ever called; the machine knows what each would have made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    /// `numpy.core.multiarray._reconstruct`: an array to be filled by the next BUILD.
    Reconstruct,
    /// `numpy.ndarray`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `numpy.core.multiarray.scalar`: one number of a type.
    Scalar,
    /// `numpy.core.numeric._frombuffer`: an array over bytes (protocol 5).
    FromBuffer,
    /// `collections.defaultdict`: a dictionary after its factory.
    DefaultDict,
    /// `collections.OrderedDict` or `dict`: a dictionary.
    Dict,
    /// `list`, `tuple`, `set`, `frozenset` of a sequence.
    List,
    Tuple,
    Set,
    /// `bytes` or `bytearray` of bytes.
    Bytes,
    /// `_codecs.encode`: bytes as protocol 2 writes them, a text of Latin-1.
    Encode,
    /// `int`, `float`, `str`, `bool`: met as factories.
    Plain,
    /// A known data class whose content is of no use here.
    Inert,
}

/// Packages whose classes are plain data; their instances become opaque values, unread and never made.
const INERT_PACKAGES: [&str; 8] = [
    "av2",
    "datetime",
    "metadrive",
    "nuplan",
    "pathlib",
    "scenarionet",
    "shapely",
    "waymo_open_dataset",
];

impl Class {
    /// The class for a name, `None` if it is refused.
    pub(super) fn named(module: &str, name: &str) -> Option<Self> {
        let class = match (module, name) {
            ("numpy", "ndarray") => Self::NdArray,
            ("numpy", "dtype") => Self::Dtype,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Self::Reconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Self::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Self::FromBuffer,
            ("collections", "defaultdict") => Self::DefaultDict,
            ("collections", "OrderedDict") => Self::Dict,
            ("_codecs", "encode") => Self::Encode,
            ("builtins" | "__builtin__", name) => match name {
                "dict" => Self::Dict,
                "list" => Self::List,
                "tuple" => Self::Tuple,
                "set" | "frozenset" => Self::Set,
                "bytes" | "bytearray" => Self::Bytes,
                "int" | "float" | "str" | "bool" | "long" | "unicode" => Self::Plain,
                _ => return None,
            },
            ("numpy", name) if is_number_type(name) => Self::Plain,
            (module, name) => {
                let package = module.split('.').next().unwrap_or("");
                let is_class = name.starts_with(|letter: char| letter.is_ascii_uppercase())
                    || (package == "datetime" && matches!(name, "datetime" | "date" | "timedelta"));
                if is_class && INERT_PACKAGES.contains(&package) && !name.contains('.') {
                    Self::Inert
                } else {
                    return None;
                }
            }
        };
        Some(class)
    }
}

fn is_number_type(name: &str) -> bool {
    let letters = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    matches!(letters, "bool" | "bool_" | "float" | "int" | "uint")
}
