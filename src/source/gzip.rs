//! Unpacks gzip files (RFC 1952), and names what follows them.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// What every member begins with.
const MAGIC: u8 = 0x1F;

/// The unpacked bytes of all members of a gzip file. Other bytes behind the last member are an error.
#[derive(Debug)]
pub(super) struct Gunzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Gunzip<R> {
    pub(super) fn new(packed: R) -> Self {
        Self(Some(GzDecoder::new(packed)))
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(member) = &mut self.0 else { return Ok(0) };
            let read = member.read(into)?;
            if read > 0 || into.is_empty() {
                return Ok(read);
            }
            let Some(mut rest) = self.0.take().map(GzDecoder::into_inner) else { return Ok(0) };
            match rest.fill_buf()?.first() {
                None => {}
                Some(&MAGIC) => self.0 = Some(GzDecoder::new(rest)),
                Some(_) => {
                    let problem = "bytes that are not gzip follow the end of its gzip data; unpack it \
                                   with gzip -dc, which leaves them out";
                    return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn members_are_joined_and_what_follows_them_is_named() {
        let unpack = |packed: &[&[u8]]| {
            let mut bytes = Vec::new();
            Gunzip::new(&*packed.concat()).read_to_end(&mut bytes).map(|_| bytes)
        };
        let (one, two) = (gzip(b"one"), gzip(b"two"));
        assert_eq!(unpack(&[&one, &two]).unwrap(), b"onetwo");
        for junk in [&[0; 512][..], b"junk"] {
            let error = unpack(&[&one, &two, junk]).unwrap_err();
            assert!(error.to_string().contains("not gzip follow the end"), "{error}");
        }
        let cut_off = unpack(&[&one, &two[..15]]).unwrap_err();
        assert_eq!(cut_off.kind(), io::ErrorKind::UnexpectedEof);
    }
}
