use std::io::Read;

use super::build::Builder;
use super::*;

fn list(bytes: &[u8]) -> Result<Vec<Entry>, TarError> {
    let mut reader = TarReader::new(bytes);
    let mut entries = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        entries.push(entry);
    }
    Ok(entries)
}

fn fault(bytes: &[u8]) -> String {
    list(bytes).unwrap_err().to_string()
}

#[test]
fn entries_of_every_kind() {
    let long = "d/".repeat(120) + "file";
    let mut tar = Builder::default();
    tar.folder("opt/")
        .file("opt/a.ko", b"ELF")
        .symlink("lib", &long)
        .hard_link(&long, "opt/a.ko");
    tar.header(b"dev/null", b'3', 7, b"")
        .header(b"old/", b'\0', 0, b"");
    tar.pax(&[("path", "b\u{e9}"), ("size", "3")])
        .header(b"x", b'0', 0, b"")
        .data(b"abc");
    let entries = list(&tar.end()).unwrap();
    let kinds: Vec<&EntryKind> = entries.iter().map(|entry| &entry.kind).collect();
    let long = long.into_bytes();
    assert_eq!(
        kinds,
        [
            &EntryKind::Directory,
            &EntryKind::File,
            &EntryKind::Symlink(long.clone()),
            &EntryKind::HardLink(b"opt/a.ko".to_vec()),
            &EntryKind::Device,
            &EntryKind::Directory,
            &EntryKind::File,
        ]
    );
    assert_eq!(entries[3].path, long);
    assert_eq!((entries[4].size, entries[6].size), (0, 3));
    assert_eq!(entries[6].path, "b\u{e9}".as_bytes());
    assert_eq!(list(&tar.bytes).unwrap(), entries, "the end may be missing");
}

#[test]
fn contents_are_read_whole_or_by_pieces_or_not() {
    let mut tar = Builder::default();
    tar.file("a", &[1; 700])
        .file("b", &[2; 512])
        .file("c", &[3; 1])
        .file("d", b"");
    let bytes = tar.end();
    let mut reader = TarReader::new(bytes.as_slice());
    let a = reader.next_entry().unwrap().unwrap();
    let mut content = Vec::new();
    reader.content(&a, &mut content).unwrap();
    assert_eq!(content, [1; 700]);
    reader.next_entry().unwrap();
    let mut piece = [0; 100];
    reader.by_pieces().read_exact(&mut piece).unwrap();
    assert_eq!(piece, [2; 100]);
    let c = reader.next_entry().unwrap().unwrap();
    assert_eq!(c.path, b"c");
    assert_eq!(reader.position(), 6 * 512);
    let d = reader.next_entry().unwrap().unwrap();
    content.clear();
    reader.content(&d, &mut content).unwrap();
    assert!(content.is_empty() && reader.next_entry().unwrap().is_none());
}

#[test]
fn a_stream_cut_anywhere_is_an_error_or_ends_between_entries() {
    let mut tar = Builder::default();
    tar.file(&"n".repeat(150), &[7; 900])
        .pax(&[("path", "p")])
        .file("q", b"1");
    let whole = tar.end();
    // The end of each file's content, without its padding and with it: the last one may lack it.
    let (first, second) = (5 * 512 - 124..=5 * 512, tar.bytes.len() - 511..=tar.bytes.len());
    for length in 0..=tar.bytes.len() {
        let cut = list(&whole[..length]);
        match cut {
            Ok(entries) => assert!(
                match entries.len() {
                    0 => length == 0,
                    1 => first.contains(&length),
                    _ => second.contains(&length),
                },
                "{length}"
            ),
            Err(error) => assert!(
                matches!(error.fault, Fault::Truncated | Fault::Extensions),
                "{length}: {error}"
            ),
        }
    }
}

#[test]
fn hostile_headers_have_a_place_and_a_reason() {
    let mut tar = Builder::default();
    tar.folder("a").header(b"pax", b'x', 4 << 30, b"");
    assert_eq!(
        fault(&tar.bytes),
        "tar entry at byte 512: a long name or pax header of 4294967296 bytes: at most 1048576 are allowed"
    );
    let mut tar = Builder::default();
    tar.header(b"long", b'L', 1 << 60, b"");
    assert!(fault(&tar.bytes).contains("at most 1048576 are allowed"));
    let mut tar = Builder::default();
    for _ in 0..20 {
        tar.header(b"g", b'g', 0, b"");
    }
    assert!(fault(&tar.bytes).contains("in a row"));
    let mut tar = Builder::default();
    tar.file("a", b"b");
    tar.bytes[0] = b'c';
    assert_eq!(
        fault(&tar.bytes),
        "tar entry at byte 0: the checksum of the header is wrong"
    );
    let mut tar = Builder::default();
    tar.header(b"label", b'V', 0, b"");
    assert!(fault(&tar.bytes).contains("an entry of type `V`"));
    let mut tar = Builder::default();
    tar.folder("a").data(&[0; 512]).folder("b");
    assert_eq!(
        fault(&tar.bytes),
        "tar entry at byte 512: data after a single block of zeros"
    );
    let mut block = [0; 512];
    block[124] = 0xff;
    let mut tar = Builder::default();
    tar.raw(block);
    assert!(fault(&tar.bytes).contains("`size` is not a number in range"));
    assert!(fault(&[b'#'; 1024]).contains("`checksum` is not a number"));
}

#[test]
fn sizes_beyond_the_stream_do_not_wrap() {
    for size in [u64::MAX >> 8, (1 << 62) - 1, u64::MAX - 511, u64::MAX] {
        let mut tar = Builder::default();
        tar.pax(&[("size", &size.to_string())])
            .header(b"a", b'0', 0, b"")
            .data(b"");
        assert!(fault(&tar.end()).contains("ends inside"), "{size}");
    }
}

#[test]
fn sparse_files_are_listed_and_their_content_is_refused() {
    let mut tar = Builder::default();
    let mut block = [0; 512];
    block[0] = b's';
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(b"00000000005");
    block[156] = b'S';
    block[257..265].copy_from_slice(b"ustar  \0");
    block[482] = 1;
    block[483..494].copy_from_slice(b"00000010000");
    tar.raw(block).data(&[0; 512]).data(b"12345");
    tar.pax(&[
        ("GNU.sparse.major", "1"),
        ("GNU.sparse.name", "t.ko"),
        ("GNU.sparse.realsize", "9000"),
    ]);
    tar.file("GNUSparseFile.0/t.ko", &[0; 600]).folder("after");
    let entries = list(&tar.end()).unwrap();
    assert_eq!(entries.len(), 3);
    assert_eq!((entries[0].size, &entries[0].kind), (4096, &EntryKind::Sparse));
    assert_eq!(
        (entries[1].size, entries[1].path.as_slice()),
        (9000, b"t.ko".as_slice())
    );
    let bytes = tar.end();
    let mut reader = TarReader::new(bytes.as_slice());
    let entry = reader.next_entry().unwrap().unwrap();
    let error = reader.content(&entry, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("`s` is a sparse file"), "{error}");
}
