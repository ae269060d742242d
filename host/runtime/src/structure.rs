//! How a component may be built. Each bound is on something that makes compiling dear beyond the component's size, and an order of magnitude
//! above what compilers make of real programs:
//!
//! | | connectors here | JavaScript engines, 10 to 13 MB | Go, 14 MB | Rust, 18 MB | bound |
//! |---|---|---|---|---|---|
//! | functions | 1,684 | 19,852 | 5,307 | 16,346 | 200,000 |
//! | bytes in one function | 10,601 | 171,628 | 199,780 | 55,749 | 4,194,304 |
//! | variables in one function | 44 | 483 | 19 | 534 | 10,000 |
//! | blocks in one another | 69 | 497 | 3,289 | 329 | 40,000 |
//! | targets of branch tables in one function | 51 | 863 | 5,490 | 646 | 65,536 |
//!
//! Counted in the engines of componentize-js 0.23 (the most of any), in esbuild 0.28 and in swc 1.16.
//!
//! A bound refuses what nobody's compiler makes; it does not tell what compiling costs. Whatever passes and is dear all the same is given up
//! when the time for compiling is over.

use std::fmt;

use wasmparser::{FunctionBody, Operator, Payload};

use crate::InspectError;

/// What of a component's structure has a bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StructureBound {
    /// Functions, over all modules.
    Functions,
    /// Bytes of one function, with the declarations of its variables.
    FunctionBytes,
    /// Variables that one function declares, beside its parameters.
    Variables,
    /// Blocks, loops and conditions that lie in one another.
    Nesting,
    /// Targets of branch tables, over all tables of one function: the edges that make a compiler's work grow with the square of the bytes.
    BranchTargets,
}

impl StructureBound {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Functions, Self::FunctionBytes, Self::Variables, Self::Nesting, Self::BranchTargets];

    /// The most that is compiled.
    pub const fn limit(self) -> u64 {
        match self {
            Self::Functions => 200_000,
            Self::FunctionBytes => 4 << 20,
            Self::Variables => 10_000,
            Self::Nesting => 40_000,
            Self::BranchTargets => 1 << 16,
        }
    }

    fn hold(self, value: u64) -> Result<(), InspectError> {
        let limit = self.limit();
        if value > limit {
            return Err(InspectError::TooComplex { bound: self, value, limit });
        }
        Ok(())
    }
}

impl fmt::Display for StructureBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Functions => "functions",
            Self::FunctionBytes => "bytes in one function",
            Self::Variables => "variables in one function",
            Self::Nesting => "blocks in one another",
            Self::BranchTargets => "targets of branch tables in one function",
        })
    }
}

/// Holds a component to the bounds, part by part while it is read.
#[derive(Default)]
pub(crate) struct Structure {
    functions: u64,
}

impl Structure {
    /// Looks at the next part.
    pub(crate) fn look_at(&mut self, part: &Payload<'_>) -> Result<(), InspectError> {
        match part {
            // The number that the section declares: nothing of it has to be read to refuse it.
            Payload::CodeSectionStart { count, .. } => {
                self.functions += u64::from(*count);
                StructureBound::Functions.hold(self.functions)
            }
            Payload::CodeSectionEntry(body) => function(body),
            _ => Ok(()),
        }
    }
}

/// Ends at the first bound that is passed, so that looking at a function costs no more than its bytes. Code that cannot be read is the
/// compiler's to refuse, which reads no further than this does.
fn function(body: &FunctionBody<'_>) -> Result<(), InspectError> {
    StructureBound::FunctionBytes.hold(body.range().len() as u64)?;
    let Ok(declared) = body.get_locals_reader() else { return Ok(()) };
    let mut declared = declared.into_iter();
    let mut variables = 0;
    for of_one_type in declared.by_ref() {
        let Ok((count, _)) = of_one_type else { return Ok(()) };
        variables += u64::from(count);
    }
    StructureBound::Variables.hold(variables)?;
    let mut operators = declared.into_operators_reader();
    let (mut open, mut targets) = (0_u64, 0_u64);
    while !operators.eof() {
        let Ok(operator) = operators.read() else { return Ok(()) };
        match operator {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Try { .. }
            | Operator::TryTable { .. } => {
                open += 1;
                StructureBound::Nesting.hold(open)?;
            }
            Operator::End | Operator::Delegate { .. } => open = open.saturating_sub(1),
            Operator::BrTable { targets: table } => {
                targets += u64::from(table.len());
                StructureBound::BranchTargets.hold(targets)?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::iter::repeat_n;

    use wasm_encoder::{
        BlockType, CodeSection, ComponentBuilder, Function, FunctionSection, Module, TypeSection, ValType,
    };

    use super::*;
    use crate::inspect::surface;

    const NOP: u8 = 0x01;

    /// What comes of a component with these modules.
    fn looked_at(modules: &[Vec<Function>]) -> Result<(), InspectError> {
        let mut component = ComponentBuilder::default();
        for functions in modules {
            let (mut types, mut declared) = (TypeSection::new(), FunctionSection::new());
            types.ty().function([], []);
            let mut code = CodeSection::new();
            for function in functions {
                declared.function(0);
                code.function(function);
            }
            let mut module = Module::new();
            module.section(&types).section(&declared).section(&code);
            component.core_module(None, &module);
        }
        surface(&component.finish())?;
        Ok(())
    }

    fn filled(body: impl FnOnce(&mut Function)) -> Function {
        let mut function = Function::new([]);
        body(&mut function);
        function.instructions().end();
        function
    }

    /// A module with so much of this, and little of anything else.
    fn with(bound: StructureBound, amount: u32) -> Vec<Function> {
        let number = amount as usize;
        match bound {
            StructureBound::Functions => vec![filled(|_| {}); number],
            // One byte says that there are no variables, and one is the end.
            StructureBound::FunctionBytes => {
                vec![filled(|body| {
                    body.raw(repeat_n(NOP, number - 2));
                })]
            }
            StructureBound::Variables => {
                let mut function = Function::new([(amount - 1, ValType::I64), (1, ValType::I32)]);
                function.instructions().end();
                vec![function]
            }
            StructureBound::Nesting => vec![filled(|body| {
                for _ in 0..amount {
                    body.instructions().block(BlockType::Empty);
                }
                for _ in 0..amount {
                    body.instructions().end();
                }
            })],
            StructureBound::BranchTargets => vec![filled(|body| {
                for part in [number / 2, number - number / 2] {
                    body.instructions().i32_const(0).br_table(repeat_n(0, part), 0);
                }
            })],
        }
    }

    #[test]
    fn each_bound_refuses_what_is_beyond_it_by_its_name_and_takes_what_is_not() {
        for bound in StructureBound::ALL {
            let limit = u32::try_from(bound.limit()).unwrap();
            looked_at(&[with(bound, limit)]).unwrap();
            let refused = looked_at(&[with(bound, limit + 1)]).unwrap_err();
            let said = refused.to_string();
            let InspectError::TooComplex { bound: of, value, limit: most } = refused else {
                panic!("{said}")
            };
            assert_eq!((of, value, most), (bound, bound.limit() + 1, bound.limit()));
            assert!(said.contains(&format!("{value} {bound}")) && said.contains(&most.to_string()), "{said}");
        }
    }

    #[test]
    fn functions_are_counted_over_all_modules_and_everything_else_in_each_function() {
        for bound in StructureBound::ALL {
            let limit = u32::try_from(bound.limit()).unwrap();
            let twice = looked_at(&[with(bound, limit), with(bound, limit)]);
            assert_eq!(twice.is_err(), bound == StructureBound::Functions, "{bound}: {twice:?}");
        }
    }

    #[test]
    fn blocks_beside_one_another_are_not_in_one_another() {
        let many = filled(|body| {
            for _ in 0..=StructureBound::Nesting.limit() {
                body.instructions().block(BlockType::Empty).end();
            }
        });
        looked_at(&[vec![many]]).unwrap();
    }

    #[test]
    fn code_that_cannot_be_read_is_counted_as_far_as_it_can_and_left_to_the_compiler() {
        let unreadable = filled(|body| {
            body.raw([0xFF; 8]);
        });
        looked_at(&[vec![unreadable]]).unwrap();
        let beyond = u32::try_from(StructureBound::Nesting.limit() + 1).unwrap();
        let mut hidden = with(StructureBound::Nesting, beyond).remove(0);
        hidden.raw([0xFF; 8]);
        assert!(looked_at(&[vec![hidden]]).is_err());
    }

    #[test]
    fn the_authors_guide_has_every_bound() {
        let guide = include_str!("../../../docs/authors.md");
        for bound in StructureBound::ALL {
            let digits = bound.limit().to_string();
            let grouped: Vec<&str> =
                digits.as_bytes().rchunks(3).rev().map(|three| str::from_utf8(three).unwrap()).collect();
            let row = format!("| {bound} | {} |", grouped.join(","));
            assert!(guide.contains(&row), "{row}");
        }
    }
}
