//! Shaders without a GPU: naga checks every one, and the Rust structs that feed them are held against what it computes.

use std::mem::offset_of;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Binding, Module, ScalarKind, TypeInner, VectorSize};
use nearmiss::render::{Body, Line, Mark, PRIMITIVES, Primitive, Ribbon, Vertex, View};

fn parsed(primitive: &Primitive) -> Module {
    naga::front::wgsl::parse_str(primitive.shader).unwrap_or_else(|error| {
        panic!(
            "{}: {}",
            primitive.name,
            error.emit_to_string(primitive.shader)
        )
    })
}

#[test]
fn every_shader_is_valid() {
    for primitive in &PRIMITIVES {
        let module = parsed(primitive);
        let mut validator = Validator::new(ValidationFlags::all(), Capabilities::empty());
        let outcome = validator.validate(&module);
        assert!(outcome.is_ok(), "{}: {outcome:?}", primitive.name);
        for stage in ["vertex", "fragment"] {
            let has_stage = module.entry_points.iter().any(|entry| entry.name == stage);
            assert!(has_stage, "{} has no {stage} stage", primitive.name);
        }
    }
}

#[test]
fn the_view_lies_in_memory_as_the_shaders_read_it() {
    let expected = [
        ("centre", offset_of!(View, centre)),
        ("right", offset_of!(View, right)),
        ("viewport", offset_of!(View, viewport)),
        ("scale", offset_of!(View, scale)),
        ("point", offset_of!(View, point)),
        ("grid_phase", offset_of!(View, grid_phase)),
        ("grid_step", offset_of!(View, grid_step)),
        ("time", offset_of!(View, time)),
        ("grid_fine", offset_of!(View, grid_fine)),
        ("grid_coarse", offset_of!(View, grid_coarse)),
        ("ground", offset_of!(View, ground)),
    ];
    for primitive in &PRIMITIVES {
        let module = parsed(primitive);
        let (_, view) = module
            .types
            .iter()
            .find(|(_, kind)| kind.name.as_deref() == Some("View"))
            .expect("common.wgsl declares View");
        let TypeInner::Struct { members, span } = &view.inner else {
            panic!("View is not a struct");
        };
        let found: Vec<(&str, usize)> = members
            .iter()
            .map(|member| {
                let name = member.name.as_deref().unwrap_or_default();
                (name, member.offset as usize)
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(*span as usize, size_of::<View>());
    }
}

#[test]
fn every_vertex_input_has_an_attribute_of_its_type() {
    for primitive in &PRIMITIVES {
        let module = parsed(primitive);
        let inputs = inputs_of(&module);
        assert_eq!(
            inputs.len(),
            primitive.attributes.len(),
            "{}",
            primitive.name
        );
        for (location, kind, width) in inputs {
            let attribute = primitive
                .attributes
                .iter()
                .find(|attribute| attribute.shader_location == location)
                .unwrap_or_else(|| panic!("{}: no attribute {location}", primitive.name));
            let expected = match attribute.format {
                wgpu::VertexFormat::Float32 => (ScalarKind::Float, 1),
                wgpu::VertexFormat::Float32x2 => (ScalarKind::Float, 2),
                wgpu::VertexFormat::Float32x4 | wgpu::VertexFormat::Unorm8x4 => {
                    (ScalarKind::Float, 4)
                }
                wgpu::VertexFormat::Uint32 => (ScalarKind::Uint, 1),
                other => panic!("{}: {other:?} is not used", primitive.name),
            };
            assert_eq!((kind, width), expected, "{} {location}", primitive.name);
        }
    }
}

/// Location, scalar kind and width of what the vertex stage reads from buffers.
fn inputs_of(module: &Module) -> Vec<(u32, ScalarKind, usize)> {
    let entry = module
        .entry_points
        .iter()
        .find(|entry| entry.name == "vertex")
        .expect("a vertex stage");
    let mut inputs = Vec::new();
    for argument in &entry.function.arguments {
        let TypeInner::Struct { members, .. } = &module.types[argument.ty].inner else {
            continue;
        };
        for member in members {
            let Some(Binding::Location { location, .. }) = member.binding else {
                continue;
            };
            let (scalar, width) = match module.types[member.ty].inner {
                TypeInner::Scalar(scalar) => (scalar, 1),
                TypeInner::Vector { size, scalar } => (
                    scalar,
                    match size {
                        VectorSize::Bi => 2,
                        VectorSize::Tri => 3,
                        VectorSize::Quad => 4,
                    },
                ),
                ref other => panic!("unexpected input {other:?}"),
            };
            inputs.push((location, scalar.kind, width));
        }
    }
    inputs
}

#[test]
fn attributes_begin_where_the_fields_of_the_structs_begin() {
    let expected: [(&str, Vec<usize>, usize); 5] = [
        (
            "areas",
            vec![
                offset_of!(Vertex, at),
                offset_of!(Vertex, color),
                offset_of!(Vertex, pattern),
            ],
            size_of::<Vertex>(),
        ),
        (
            "ribbons",
            vec![
                offset_of!(Ribbon, from),
                offset_of!(Ribbon, from_left),
                offset_of!(Ribbon, width),
                offset_of!(Ribbon, near),
                offset_of!(Ribbon, far),
                offset_of!(Ribbon, tick),
            ],
            size_of::<Ribbon>(),
        ),
        (
            "lines",
            vec![
                offset_of!(Line, from),
                offset_of!(Line, width),
                offset_of!(Line, start_m),
                offset_of!(Line, flags),
                offset_of!(Line, color),
            ],
            size_of::<Line>(),
        ),
        (
            "bodies",
            vec![
                offset_of!(Body, centre),
                offset_of!(Body, half),
                offset_of!(Body, fill),
                offset_of!(Body, edge),
                offset_of!(Body, nose),
                offset_of!(Body, shape),
                offset_of!(Body, shadow),
            ],
            size_of::<Body>(),
        ),
        (
            "marks",
            vec![
                offset_of!(Mark, at),
                offset_of!(Mark, shift),
                offset_of!(Mark, stroke),
                offset_of!(Mark, fill),
                offset_of!(Mark, edge),
                offset_of!(Mark, shape),
                offset_of!(Mark, hide_below),
            ],
            size_of::<Mark>(),
        ),
    ];
    for (name, offsets, size) in expected {
        let primitive = PRIMITIVES
            .iter()
            .find(|primitive| primitive.name == name)
            .expect("a primitive of that name");
        let found: Vec<usize> = primitive
            .attributes
            .iter()
            .map(|attribute| attribute.offset as usize)
            .collect();
        assert_eq!(found, offsets, "{name}");
        assert_eq!(primitive.stride as usize, size, "{name}");
        // the attributes fill the struct to its end
        let last = primitive.attributes.last().expect("attributes");
        assert_eq!((last.offset + last.format.size()) as usize, size, "{name}");
    }
}
