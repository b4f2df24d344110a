//! The header that arrays of all formats have: the type of their values, and a shape, records first.

use std::fmt;
use std::io;

/// The type of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// Unsigned byte, the one that images and labels of the MNIST family use.
    U8,
    /// Signed byte.
    I8,
    /// 16-bit integer without a sign.
    U16,
    /// 16-bit integer.
    I16,
    /// 32-bit integer without a sign.
    U32,
    /// 32-bit integer.
    I32,
    /// 64-bit integer without a sign.
    U64,
    /// 64-bit integer.
    I64,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// Byte that is 0 or 1.
    Bool,
}

impl Dtype {
    /// Bytes of one value.
    pub fn size(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// Whether values are whole numbers, as labels are.
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bool => "bool",
        })
    }
}

/// Which byte of a value comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// The highest.
    Big,
    /// The lowest.
    Little,
}

/// What is wrong with an array's bytes.
#[derive(Debug, thiserror::Error)]
pub enum ArrayError {
    /// The first bytes are those of no format that is read here.
    #[error("not an IDX file and no .npy array: it begins with {}{}", hex(.0), what_it_may_be(.0))]
    NotIdx(Vec<u8>),
    /// The type byte is none of the six that the format knows.
    #[error("not an IDX file: type code 0x{0:02x} is none of 08, 09, 0b, 0c, 0d, 0e")]
    UnknownType(u8),
    /// A `.npy` header that cannot be used.
    #[error("not a usable .npy array: {0}")]
    Npy(String),
    /// An archive of arrays that cannot be read, or that lacks the array.
    #[error("{0}")]
    Archive(String),
    /// The stream ends inside the header.
    #[error("the header is cut off after {0} bytes")]
    HeaderCutOff(u64),
    /// The product of the dimensions does not fit 64 bits.
    #[error("the header's dimensions {0} multiply to more than any file can hold")]
    Overflow(Shape),
    /// The data ends before the header's promise is kept.
    #[error("truncated: the header promises {promised} bytes of data, the file holds {found}")]
    Truncated {
        /// Bytes of data after the header's word.
        promised: u64,
        /// Bytes of data found.
        found: u64,
    },
    /// There is more data than the header says.
    #[error(
        "trailing bytes: the header promises {promised} bytes of data, the file goes on after them"
    )]
    Trailing {
        /// Bytes of data after the header's word.
        promised: u64,
    },
    /// A packed file ends before its end.
    #[error("cut off: the packed file ends before its own end mark")]
    CutOff,
    /// The bytes could not be read or unpacked.
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for ArrayError {
    fn from(e: io::Error) -> Self {
        // A plain reader that has no more says so with no bytes; only a decoder complains.
        if e.kind() == io::ErrorKind::UnexpectedEof { Self::CutOff } else { Self::Io(e) }
    }
}

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().take(4).map(|b| format!("{b:02x}")).collect();
    if pairs.is_empty() { "nothing, it is empty".to_owned() } else { pairs.join(" ") }
}

fn what_it_may_be(bytes: &[u8]) -> &'static str {
    // POSIX.1-1988 puts the mark of a tar archive there.
    if bytes.get(257..262) == Some(b"ustar") {
        return " (a tar archive: unpack it first)";
    }
    match bytes.get(..4).unwrap_or(bytes) {
        [b'<', ..] => " (an HTML or XML page saved under this name?)",
        [b'P', b'K', ..] => " (a zip archive: unpack it first)",
        [0xFD, b'7', b'z', ..] => " (an xz archive: unpack it first)",
        b"BZh0" | [b'B', b'Z', b'h', b'1'..=b'9'] => " (packed by bzip2: unpack it first)",
        [0x28, 0xB5, 0x2F, 0xFD] => " (packed by zstd: unpack it first)",
        [0x1F, 0x9D, ..] => " (packed by compress: unpack it first)",
        [b'7', b'z', 0xBC, 0xAF] => " (a 7z archive: unpack it first)",
        [0x1F, 0x8B, ..] => " (gzip inside gzip: unpack it once)",
        [0x80, 2..=5, ..] => " (a Python pickle, which is never read)",
        [0x89, b'H', b'D', b'F'] => " (HDF5: save its arrays with numpy.savez)",
        b"MATL" => " (a MATLAB file: save its arrays with numpy.savez)",
        b"vers" => " (a pointer of Git LFS in place of the file: git lfs pull)",
        [0x89, b'P', b'N', b'G'] | [0xFF, 0xD8, 0xFF, _] => {
            " (one picture: stack the pixels of all with numpy.save)"
        }
        b"PAR1" => " (a Parquet file: give it as the source, not among source.files)",
        _ => "",
    }
}

/// Dimensions, printed as `60000 × 28 × 28`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape(pub Vec<u32>);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i == 0 { "" } else { " × " })?;
        }
        Ok(())
    }
}

/// What an array's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of each value.
    pub dtype: Dtype,
    /// The order of a value's bytes.
    pub endian: Endian,
    /// The dimensions, records first: `n × rows × cols` for images, `n` for labels.
    pub shape: Shape,
    /// Bytes of the header itself.
    pub len: u64,
}

impl Header {
    /// Sees that the dimensions can be those of a file.
    ///
    /// # Errors
    /// A size that overflows 64 bits.
    pub(super) fn checked(self) -> Result<Self, ArrayError> {
        // A zero among the dimensions must not hide that the others overflow:
        // `record_len` multiplies them without the first.
        let of =
            |dims: &[u32]| dims.iter().try_fold(self.dtype.size(), |n, &d| n.checked_mul(d.into()));
        let record = of(self.shape.0.get(1..).unwrap_or(&[]));
        // The header's own bytes count too: the file's length must fit as well.
        let file = of(&self.shape.0).and_then(|data| data.checked_add(self.len));
        if record.is_some() && file.is_some() {
            Ok(self)
        } else {
            Err(ArrayError::Overflow(self.shape))
        }
    }

    /// How many records follow; a file without dimensions holds none.
    pub fn records(&self) -> u32 {
        self.shape.0.first().copied().unwrap_or(0)
    }

    /// Values of one record.
    pub fn values(&self) -> u64 {
        // Within range: the product has been checked.
        self.shape.0.iter().skip(1).map(|&d| u64::from(d)).product()
    }

    /// Bytes of one record.
    pub fn record_len(&self) -> u64 {
        self.values() * self.dtype.size()
    }

    /// Bytes of all records.
    pub fn data_len(&self) -> u64 {
        u64::from(self.records()) * self.record_len()
    }
}
