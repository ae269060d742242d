//! Evolution of `wit/`: what was published stays as it is.
//!
//! Components that were built against a published version have to link for ever, and linking compares types by their structure. So
//! every type and function of a published copy has to exist unchanged, down to the order of fields and cases; growth is a new
//! function, a new type or a new interface. A world may import more, because older components import what they always did. It must
//! not export more, because older components lack it.

use std::collections::BTreeMap;

use wit_parser::{
    Function, InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeId, TypeOwner, WorldId, WorldItem,
};

/// Everything by which `current` breaks the promise of `published`, each as one line.
fn breaking_changes(published: &Package, current: &Package) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, was) in &published.items {
        match current.items.get(name) {
            None => changes.push(format!("{name} is gone; it was `{was}`")),
            Some(is) if is != was => changes.push(format!("{name} was `{was}` and is `{is}`")),
            Some(_) => {}
        }
    }
    for export in current.exports.iter().filter(|export| !published.exports.contains(export)) {
        let world = export.split(' ').next().unwrap_or_default();
        if published.items.contains_key(world) {
            changes.push(format!("{export} is new, and older components lack it"));
        }
    }
    changes
}

/// A package as names and shapes.
struct Package {
    /// Interfaces, types, functions, worlds and their imports and exports by name, each with its shape as text.
    items: BTreeMap<String, String>,
    exports: Vec<String>,
}

impl Package {
    fn of(resolve: &Resolve, package: PackageId) -> Self {
        let mut this = Self { items: BTreeMap::new(), exports: Vec::new() };
        for (name, id) in &resolve.packages[package].interfaces {
            this.interface(resolve, name, *id);
        }
        for (name, id) in &resolve.packages[package].worlds {
            this.world(resolve, name, *id);
        }
        this
    }

    fn interface(&mut self, resolve: &Resolve, name: &str, id: InterfaceId) {
        self.items.insert(name.to_owned(), "interface".into());
        let interface = &resolve.interfaces[id];
        for (item, id) in &interface.types {
            self.items.insert(format!("{name}.{item}"), definition(resolve, *id));
        }
        for (item, function) in &interface.functions {
            self.items.insert(format!("{name}.{item}"), signature(resolve, function));
        }
    }

    fn world(&mut self, resolve: &Resolve, name: &str, id: WorldId) {
        let world = &resolve.worlds[id];
        let name = format!("world:{name}");
        self.items.insert(name.clone(), "world".into());
        for (way, items) in [("import", &world.imports), ("export", &world.exports)] {
            for (key, item) in items {
                let shape = match item {
                    WorldItem::Interface { .. } => "interface".into(),
                    WorldItem::Function(function) => signature(resolve, function),
                    WorldItem::Type { id, .. } => definition(resolve, *id),
                };
                let key = resolve.name_world_key(key);
                // The version is what changes from one copy to the next.
                let item = format!("{name} {way} {}", key.split('@').next().unwrap_or_default());
                if way == "export" {
                    self.exports.push(item.clone());
                }
                self.items.insert(item, shape);
            }
        }
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameter = |param: &wit_parser::Param| format!("{}: {}", param.name, shape(resolve, &param.ty));
    let parameters: Vec<_> = function.params.iter().map(parameter).collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", shape(resolve, ty))).unwrap_or_default();
    format!("func({}){result}", parameters.join(", "))
}

/// A type where it is used: by its name, if it has one.
fn shape(resolve: &Resolve, ty: &Type) -> String {
    match ty {
        Type::Id(id) => match (&resolve.types[*id].name, resolve.types[*id].owner) {
            (Some(name), TypeOwner::Interface(owner)) => {
                if let TypeDefKind::Type(original) = &resolve.types[*id].kind {
                    return shape(resolve, original);
                }
                let interface = resolve.interfaces[owner].name.as_deref().unwrap_or_default();
                format!("{interface}.{name}")
            }
            _ => definition(resolve, *id),
        },
        primitive => format!("{primitive:?}").to_lowercase(),
    }
}

/// A type in full.
fn definition(resolve: &Resolve, id: TypeId) -> String {
    let list = |items: Vec<String>| items.join(", ");
    let optional = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), |ty| shape(resolve, ty));
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => {
            let field = |field: &wit_parser::Field| format!("{}: {}", field.name, shape(resolve, &field.ty));
            format!("record {{ {} }}", list(record.fields.iter().map(field).collect()))
        }
        TypeDefKind::Variant(variant) => {
            let case = |case: &wit_parser::Case| format!("{}({})", case.name, optional(&case.ty));
            format!("variant {{ {} }}", list(variant.cases.iter().map(case).collect()))
        }
        TypeDefKind::Enum(cases) => {
            format!("enum {{ {} }}", list(cases.cases.iter().map(|case| case.name.clone()).collect()))
        }
        TypeDefKind::Flags(flags) => {
            format!("flags {{ {} }}", list(flags.flags.iter().map(|flag| flag.name.clone()).collect()))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", list(tuple.types.iter().map(|ty| shape(resolve, ty)).collect()))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", shape(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", shape(resolve, ty)),
        TypeDefKind::Result(result) => format!("result<{}, {}>", optional(&result.ok), optional(&result.err)),
        TypeDefKind::Type(ty) => shape(resolve, ty),
        // Resources, futures, streams and maps: the interface has none, and whoever adds one decides how it compares.
        other => panic!("wit/ uses {}, which the comparison does not know yet", other.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use contactor_manifest::Version;

    use super::*;

    fn parse(text: &str) -> Package {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("test.wit", text).unwrap();
        Package::of(&resolve, package)
    }

    fn read(directory: &Path) -> (Package, Version) {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(directory).unwrap();
        let version = resolve.packages[package].name.version.clone().unwrap();
        (Package::of(&resolve, package), Version::parse(&version.to_string()).unwrap())
    }

    #[test]
    fn every_published_version_is_part_of_the_current_one() {
        let wit = crate::cargo::Workspace::find().unwrap().root.join("wit");
        let (current, version) = read(&wit);
        let mut compared = 0;
        for entry in fs::read_dir(wit.join("published")).unwrap() {
            let directory = entry.unwrap().path();
            let (published, published_version) = read(&directory);
            assert_eq!(directory.file_name().unwrap().to_str().unwrap(), published_version.to_string());
            assert!(published_version <= version, "{published_version} is newer than wit/ itself");
            // The linker matches 0.1.x with 0.1.y and 1.x with 1.y; beyond that nothing was promised.
            let compatible = published_version.major == version.major
                && (version.major > 0 || published_version.minor == version.minor);
            if compatible {
                let changes = breaking_changes(&published, &current);
                assert!(changes.is_empty(), "against {published_version}:\n{}", changes.join("\n"));
                compared += 1;
            }
        }
        assert!(compared > 0, "wit/published has no copy of a version that {version} is compatible with");
    }

    const PUBLISHED: &str = "
        package test:test@0.1.0;
        interface types { record point { x: s32, y: s32 } }
        interface shapes {
            use types.{point};
            enum kind { round, square }
            variant error { gone, other(string) }
            find: func(near: point, kind: kind) -> result<list<point>, error>;
            forget: func(id: string);
        }
        world plugin { import shapes; export run: func(); }
    ";

    /// What the comparison says when a piece of the published text is replaced.
    fn after(old: &str, new: &str) -> Vec<String> {
        assert_eq!(PUBLISHED.matches(old).count(), 1, "{old}");
        breaking_changes(&parse(PUBLISHED), &parse(&PUBLISHED.replace(old, new)))
    }

    #[track_caller]
    fn assert_says(changes: &[String], words: &str) {
        assert!(changes.len() == 1 && changes[0].contains(words), "{changes:?}");
    }

    #[test]
    fn the_same_text_under_a_newer_version_breaks_nothing() {
        assert!(after("@0.1.0", "@0.1.1").is_empty());
    }

    #[test]
    fn added_functions_types_and_interfaces_are_fine() {
        assert!(after("forget: func", "count: func() -> u32; forget: func").is_empty());
        assert!(after("enum kind", "record size { w: u32 } enum kind").is_empty());
        assert!(
            after("world plugin {", "interface more { a: func(); } world plugin { import more;").is_empty()
        );
        assert!(after("world plugin", "world second { export run: func(); } world plugin").is_empty());
    }

    #[test]
    fn a_removed_function_interface_import_or_export_is_caught() {
        assert_says(&after("forget: func(id: string);", ""), "shapes.forget is gone");
        assert_says(
            &after("import shapes;", "import types;"),
            "world:plugin import test:test/shapes is gone",
        );
        assert_says(&after("export run: func();", ""), "world:plugin export run is gone");
        let (both, one) = ("interface a { } interface b { }", "interface a { }");
        let parse = |interfaces: &str| parse(&format!("package test:test@0.1.0; {interfaces}"));
        assert_says(&breaking_changes(&parse(both), &parse(one)), "b is gone");
    }

    #[test]
    fn a_changed_signature_is_caught() {
        assert_says(&after("forget: func(id: string)", "forget: func(id: u32)"), "(id: string)");
        assert_says(&after("func(id: string)", "func(name: string)"), "shapes.forget was");
        assert_says(&after("func(id: string)", "func(id: string) -> bool"), "-> bool");
        assert_says(
            &after("result<list<point>, error>", "result<option<point>, error>"),
            "option<types.point>",
        );
    }

    #[test]
    fn an_added_removed_or_moved_record_field_is_caught() {
        assert_says(&after("x: s32, y: s32", "x: s32, y: s32, z: s32"), "z: s32");
        assert_says(&after("x: s32, y: s32", "x: s32"), "types.point was");
        assert_says(&after("x: s32, y: s32", "y: s32, x: s32"), "types.point was");
    }

    #[test]
    fn an_added_or_changed_case_is_caught() {
        assert_says(&after("round, square", "round, square, oval"), "oval");
        assert_says(&after("gone,", "gone(string),"), "gone(string)");
    }

    #[test]
    fn a_new_export_of_a_published_world_is_caught() {
        assert_says(
            &after("export run: func();", "export run: func(); export stop: func();"),
            "export stop is new",
        );
    }
}
