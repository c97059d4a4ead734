//! Pickles written opcode by opcode: what comes out, and what is refused.

use super::*;

/// A protocol 4 pickle of these opcodes.
fn pickle(body: &[u8]) -> Vec<u8> {
    [b"\x80\x04", body, b"."].concat()
}

fn read(source: &[u8]) -> Result<Pickle<'_>, PickleError> {
    Pickle::read(source)
}

#[test]
fn a_dictionary_of_plain_values_comes_out() {
    // python: pickle.dumps({'a': [1, 2.5, None], 'b': (True, -3)}, 4), memo left out
    let source = pickle(
        b"}(\x8c\x01a](K\x01G\x40\x04\x00\x00\x00\x00\x00\x00Ne\x8c\x01b\x88J\xfd\xff\xff\xff\x86u",
    );
    let found = read(&source).unwrap();
    let a = found.root().get("a").unwrap();
    let numbers: Vec<_> = a.items().unwrap().map(View::number).collect();
    assert_eq!(numbers, [Some(1.0), Some(2.5), None]);
    assert_eq!(
        found.root().get("b").unwrap().rows(9).unwrap().values,
        [1.0, -3.0]
    );
    assert!(found.root().get("c").is_none());
}

#[test]
fn a_numpy_array_is_read_from_its_bytes() {
    // python: pickle.dumps(numpy.array([[1, 2], [3, 4]], dtype='<i4'), 2..4), memo left out
    let mut body = Vec::new();
    body.extend(b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R");
    body.extend(b"(K\x01K\x02K\x02\x86cnumpy\ndtype\n\x8c\x02i4\x89\x88\x87R");
    body.extend(b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89C\x10");
    for number in 1..=4_i32 {
        body.extend(number.to_le_bytes());
    }
    body.extend(b"tb");
    let source = pickle(&body);
    let rows = read(&source).unwrap().root().rows(100).unwrap();
    assert_eq!(
        rows,
        Rows {
            width: 2,
            values: vec![1.0, 2.0, 3.0, 4.0]
        }
    );
    assert_eq!((rows.len(), rows.at(1, 0)), (2, 3.0));
    assert!(rows.at(2, 0).is_nan() && rows.at(0, 2).is_nan());

    let short = pickle(&[&body[..body.len() - 20], b"C\x01xtb"].concat());
    let message = read(&short).err().unwrap().message;
    assert!(message.contains("shape [2, 2]"), "{message}");
}

#[test]
fn code_is_refused_and_named() {
    for name in [
        "os\nsystem",
        "posix\nsystem",
        "builtins\neval",
        "builtins\ngetattr",
        "nt\nsystem",
        "subprocess\nPopen",
        "numpy\nload",
        "nuplan.os\nsystem",
        "metadrive\nOs.system",
    ] {
        let source = pickle(&[b"c", name.as_bytes(), b"\n\x8c\x02ls\x85R"].concat());
        let error = read(&source).err().unwrap();
        assert!(
            error.refused && error.message.contains(&name.replace('\n', ".")),
            "{error:?}"
        );
    }
    // persistent ids, extension codes, instances of old classes
    for opcode in [b'P', b'Q', 0x82, 0x83, 0x84, b'i', b'o', 0x92, 0x97, 0x98] {
        assert!(
            read(&pickle(&[b'N', opcode])).err().unwrap().refused,
            "{opcode}"
        );
    }
}

#[test]
fn a_known_data_class_is_an_opaque_value() {
    let source = pickle(b"]cmetadrive.type\nMetaDriveType\n)Ra");
    let found = read(&source).unwrap();
    assert_eq!(
        found.root().items().unwrap().filter_map(View::text).count(),
        0
    );
    assert_eq!(found.root().len(), 1);
}

#[test]
fn values_that_hold_themselves_and_deep_nesting_do_no_harm() {
    // l = []; l.append(l)
    let source = pickle(b"]q\x00h\x00a");
    let found = read(&source).unwrap();
    assert!(found.root().rows(1_000).is_none());
    let deep = pickle(&[vec![b']'; 1_000_000], vec![b'a'; 999_999]].concat());
    assert_eq!(read(&deep).unwrap().root().len(), 1);
}

#[test]
fn the_memo_and_the_budget_are_limited() {
    assert!(read(&pickle(b"Nr\xff\xff\xff\x7f")).is_err());
    assert!(read(&pickle(b"j\x00\x00\x00\x00")).is_err());
    let many = pickle(&vec![b']'; 8 << 20]);
    assert!(read(&many).err().unwrap().message.contains("unfolds"));
}

#[test]
fn lengths_beyond_the_end_are_errors() {
    for body in [
        &b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"B\xff\xff\xff\xffx",
        b"\x95\xff\x00\x00\x00\x00\x00\x00\x00N",
        b"\x8b\xff\xff\xff\x7f",
    ] {
        assert!(read(&pickle(body)).is_err());
    }
    let whole = pickle(b"}(\x8c\x01aK\x01\x8c\x01bK\x02u");
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err());
    }
}

#[test]
fn half_and_other_widths_are_decoded() {
    let number = |text: &str, bytes: &[u8]| Dtype::parse(text).unwrap().number(bytes).unwrap();
    assert_eq!(number("f2", &[0x00, 0x3e]), 1.5); // 0x3e00: exponent 15, fraction 1/2
    assert_eq!(number(">i2", &[0xff, 0xfe]), -2.0);
    assert_eq!(number("|b1", &[7]), 1.0);
    assert_eq!(
        Dtype::parse("<U2")
            .unwrap()
            .text(b"h\0\0\0i\0\0\0")
            .as_deref(),
        Some("hi")
    );
}

#[test]
fn tuples_name_things_too() {
    // MetaDrive's lanes: (">", ">>", 0)
    let source = pickle(b"\x8c\x01>\x8c\x02>>K\x00\x87");
    let found = read(&source).unwrap();
    assert_eq!(found.root().label().as_deref(), Some(">/>>/0"));
    assert_eq!(found.root().text(), None);
}
