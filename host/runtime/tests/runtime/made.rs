//! Components that neither the SDK nor `rustc` makes: the guest's bytes with something more in them, or with something changed.

use wasm_encoder::{
    BlockType, CodeSection, ComponentBuilder, ComponentExportKind, ComponentInstanceSection,
    ComponentSection, ComponentSectionId, Encode, EntityType, ExportKind, Function, FunctionSection,
    HeapType, ImportSection, InstanceSection, MemorySection, MemoryType, Module, ModuleArg, ModuleSection,
    RefType, StartSection, TableSection, TableType, TypeSection, ValType,
};
use wasmparser::{Parser, Payload};

use super::components;

/// The guest with its manifest changed.
pub(crate) fn with_manifest(change: impl FnOnce(String) -> String) -> Vec<u8> {
    let guest = components::misbehave();
    let manifest = contactor_manifest::extract(&guest).unwrap().unwrap();
    contactor_manifest::embed(&guest, &change(manifest)).unwrap()
}

/// The guest with a name changed wherever it stands; both have the same length, so that no size changes.
pub(crate) fn with_name(from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut guest = components::misbehave();
    let mut found = 0;
    for at in 0..guest.len() - from.len() {
        if guest[at..].starts_with(from.as_bytes()) {
            guest[at..at + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "{from} is not in the guest");
    guest
}

/// How many parts of a kind a component has itself, not counting those of components within it.
fn count(guest: &[u8], is_one: impl Fn(&Payload<'_>) -> bool) -> u32 {
    let mut depth = 0;
    let mut found = 0;
    for payload in Parser::new(0).parse_all(guest) {
        let payload = payload.unwrap();
        found += u32::from(depth == 0 && is_one(&payload));
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) if depth > 0 => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The guest with one more core module, which is instantiated after all others.
pub(crate) fn with_module(module: &Module) -> Vec<u8> {
    let mut guest = components::misbehave();
    let modules = count(&guest, |part| matches!(part, Payload::ModuleSection { .. }));
    ModuleSection(module).append_to_component(&mut guest);
    let mut instances = InstanceSection::new();
    instances.instantiate(modules, std::iter::empty::<(&str, ModuleArg)>());
    instances.append_to_component(&mut guest);
    guest
}

/// The guest with one more component in it, which is instantiated after everything else.
pub(crate) fn with_component(component: &[u8]) -> Vec<u8> {
    let mut guest = components::misbehave();
    let components = count(&guest, |part| matches!(part, Payload::ComponentSection { .. }));
    guest.push(ComponentSectionId::Component.into());
    component.encode(&mut guest);
    let mut instances = ComponentInstanceSection::new();
    instances.instantiate(components, std::iter::empty::<(&str, ComponentExportKind, u32)>());
    instances.append_to_component(&mut guest);
    guest
}

/// A module whose start function does this.
pub(crate) fn starting(module: &mut Module, body: impl FnOnce(&mut Function)) {
    let mut function = Function::new([]);
    body(&mut function);
    function.instructions().end();
    let mut code = CodeSection::new();
    code.function(&function);
    module.section(&StartSection { function_index: 0 }).section(&code);
}

/// A module that begins with one function of type `() -> ()`.
pub(crate) fn one_function() -> Module {
    functions(1)
}

/// A module that begins with so many functions of type `() -> ()`.
pub(crate) fn functions(count: u32) -> Module {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    for _ in 0..count {
        functions.function(0);
    }
    let mut module = Module::new();
    module.section(&types).section(&functions);
    module
}

pub(crate) fn memory(minimum: u64) -> MemorySection {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    memories
}

pub(crate) fn table(minimum: u64) -> TableSection {
    let mut tables = TableSection::new();
    tables.table(TableType {
        element_type: RefType::FUNCREF,
        table64: false,
        minimum,
        maximum: None,
        shared: false,
    });
    tables
}

/// The guest with a module in it whose start function lets a table grow without end.
pub(crate) fn growing_table() -> Vec<u8> {
    let mut module = one_function();
    module.section(&table(1));
    starting(&mut module, |function| {
        let mut body = function.instructions();
        body.loop_(BlockType::Empty)
            .ref_null(HeapType::FUNC)
            .i32_const(1_000)
            .table_grow(0)
            .drop()
            .br(0)
            .end();
    });
    with_module(&module)
}

/// The guest with a component in it that makes handles of a resource of its own without end and gives none back.
pub(crate) fn leaking_handles() -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([], []);
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut imports = ImportSection::new();
    imports.import("host", "new", EntityType::Function(1));
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut body = Function::new([]);
    body.instructions().loop_(BlockType::Empty).i32_const(1).call(0).drop().br(0).end().end();
    let mut code = CodeSection::new();
    code.function(&body);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&StartSection { function_index: 1 })
        .section(&code);

    let mut component = ComponentBuilder::default();
    let resource = component.type_resource(None, ValType::I32, None);
    let new = component.resource_new(resource);
    let host = component.core_instantiate_exports(None, [("new", ExportKind::Func, new)]);
    let module = component.core_module(None, &module);
    component.core_instantiate(None, module, [("host", ModuleArg::Instance(host))]);
    with_component(&component.finish())
}

/// The guest with a module in it that has a memory of its own, which is the component's second.
pub(crate) fn two_memories() -> Vec<u8> {
    let mut module = Module::new();
    module.section(&memory(1));
    with_module(&module)
}

/// The guest with a function in it of which every table of branches leads to every block that it is in: the compiler's work grows with
/// the square of the bytes. There are more targets in it than any function may have.
pub(crate) fn compile_bomb_in_one_function() -> Vec<u8> {
    branching(1, 600, 0)
}

/// As much of that as before in functions of which each is within the bounds. Each number makes another component.
pub(crate) fn compile_bomb(number: i64) -> Vec<u8> {
    branching(3, 361, number)
}

/// The guest with so many functions in it, each of three MiB, and all of it has to be compiled. Each number makes another component.
pub(crate) fn large(count: u32, number: i64) -> Vec<u8> {
    let mut module = functions(count);
    let mut code = CodeSection::new();
    for _ in 0..count {
        let mut function = Function::new([]);
        // Each constant has two bytes, and its drop one.
        for _ in 0..1 << 20 {
            function.instructions().i32_const(1).drop();
        }
        function.instructions().i64_const(number).drop().end();
        code.function(&function);
    }
    module.section(&code);
    with_module(&module)
}

/// The guest with so many functions in it that have tables of branches to each of so many blocks.
fn branching(count: u32, blocks: u32, number: i64) -> Vec<u8> {
    let mut code = CodeSection::new();
    for _ in 0..count {
        let mut function = Function::new([]);
        for _ in 0..blocks {
            function.instructions().block(BlockType::Empty);
        }
        for inside in (1..=blocks).rev() {
            // All that are still open.
            function.instructions().i32_const(0).br_table(0..inside, 0).end();
        }
        function.instructions().i64_const(number).drop().end();
        code.function(&function);
    }
    let mut module = functions(count);
    module.section(&code);
    with_module(&module)
}
