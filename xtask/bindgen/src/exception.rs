//! Exceptions of JavaScript, caught in the encoding that V8 has had since 9.5 (2021).
//!
//! wasm-bindgen wraps each import in a function that catches what the import throws. It writes `try_table`, which V8
//! has only since 13.7 (May 2025); this writes the same functions with `try`. They are all of one form:
//!
//! ```text
//! block $any (result exnref)                       try
//!   block $js (result externref)                     call $import … return
//!     try_table (catch $tag $js)                   catch $tag
//!               (catch_all_ref $any)                 <handle the externref> … return
//!       call $import … return                      catch_all
//!     end                                            <guard>
//!     unreachable                                    rethrow 0
//!   end                                            end
//!   <handle the externref> … return                unreachable
//! end
//! local.set $exception
//! <guard>
//! local.get $exception
//! throw_ref
//! ```

use anyhow::{Result, bail};
use walrus::ir::{
    Instr, InstrLocId, InstrSeqId, InstrSeqType, LegacyCatch, Rethrow, Try, TryTableCatch, Unreachable, Visitor,
    dfs_in_order,
};
use walrus::{LocalFunction, Module, RefType, TagId, ValType};

/// Instructions, each with where it came from.
type Instrs = Vec<(Instr, InstrLocId)>;

/// Rewrites every function that catches. Fails if one has another form than the one above.
pub(crate) fn use_older_encoding(module: &mut Module) -> Result<()> {
    // A handler finds the thrown value on the stack, and leaves nothing there, since it returns.
    let handler: InstrSeqType = module.types.add(&[ValType::Ref(RefType::EXTERNREF)], &[]).into();
    for (_, function) in module.funcs.iter_local_mut() {
        if !has_newer_encoding(function) {
            continue;
        }
        let rewritten = Wrapper::take(function).map(|wrapper| wrapper.write(function, handler));
        if rewritten.is_none() || has_newer_encoding(function) {
            bail!(
                "wasm-bindgen catches exceptions in another form than before: bring xtask/bindgen up to date with it"
            );
        }
    }
    Ok(())
}

/// What differs from wrapper to wrapper.
struct Wrapper {
    /// Calls the import and returns.
    body: InstrSeqId,
    tag: TagId,
    /// Handles the thrown value, which is on the stack, and returns.
    handle: Instrs,
    /// Traps if the instance is lost.
    guard: Instrs,
}

impl Wrapper {
    /// The parts of a function; `None` if it has another form.
    fn take(function: &LocalFunction) -> Option<Self> {
        let instrs = |id| function.block(id).instrs.as_slice();
        let [
            (Instr::Block(any), _),
            (Instr::LocalSet(set), _),
            guard @ ..,
            (Instr::LocalGet(get), _),
            (Instr::ThrowRef(_), _),
        ] = instrs(function.entry_block())
        else {
            return None;
        };
        let [(Instr::Block(js), _), handle @ ..] = instrs(any.seq) else { return None };
        let [(Instr::TryTable(table), _), (Instr::Unreachable(_), _)] = instrs(js.seq) else { return None };
        let [TryTableCatch::Catch { tag, label }, TryTableCatch::CatchAllRef { label: rest }] =
            table.catches.as_slice()
        else {
            return None;
        };
        let ends = |instrs: &[(Instr, InstrLocId)]| matches!(instrs.last(), Some((Instr::Return(_), _)));
        let fits = *label == js.seq && *rest == any.seq && set.local == get.local;
        (fits && ends(handle) && ends(instrs(table.seq))).then(|| Self {
            body: table.seq,
            tag: *tag,
            handle: handle.to_vec(),
            guard: guard.to_vec(),
        })
    }

    fn write(self, function: &mut LocalFunction, handler: InstrSeqType) {
        let plain = |instr: Instr| (instr, InstrLocId::default());
        let builder = function.builder_mut();
        let handle = builder.dangling_instr_seq(handler).id();
        let rest = builder.dangling_instr_seq(None).id();
        let entry = builder.func_body_id();
        function.block_mut(handle).instrs = self.handle;
        function.block_mut(rest).instrs = self.guard;
        function.block_mut(rest).instrs.push(plain(Rethrow { relative_depth: 0 }.into()));
        let catches =
            vec![LegacyCatch::Catch { tag: self.tag, handler: handle }, LegacyCatch::CatchAll { handler: rest }];
        function.block_mut(entry).instrs =
            vec![plain(Try { seq: self.body, catches }.into()), plain(Unreachable {}.into())];
    }
}

/// Whether a function has an instruction of the newer encoding.
fn has_newer_encoding(function: &LocalFunction) -> bool {
    struct Search(bool);
    impl<'a> Visitor<'a> for Search {
        fn visit_instr(&mut self, instr: &'a Instr, _: &'a InstrLocId) {
            self.0 |= matches!(instr, Instr::TryTable(_) | Instr::ThrowRef(_));
        }
    }
    let mut search = Search(false);
    dfs_in_order(&mut search, function, function.entry_block());
    search.0
}

#[cfg(test)]
mod tests {
    use walrus::FunctionBuilder;
    use walrus::ir::{Block, LocalGet, LocalSet, Return, ThrowRef, TryTable};

    use super::*;

    /// A module with one function as wasm-bindgen writes it; `ends` says whether its handler returns.
    fn module(ends: bool) -> Module {
        let mut module = Module::default();
        let ty = module.types.add(&[ValType::Ref(RefType::EXTERNREF)], &[]);
        let (tag, _) = module.add_import_tag("env", "tag", ty);
        let void = module.types.add(&[], &[]);
        let (import, _) = module.add_import_func("env", "import", void);
        let exception = module.locals.add(ValType::Ref(RefType::EXNREF));
        let mut builder = FunctionBuilder::new(&mut module.types, &[], &[]);
        let body = builder.dangling_instr_seq(None).call(import).instr(Return {}).id();
        let js = builder.dangling_instr_seq(ValType::Ref(RefType::EXTERNREF)).id();
        let any = builder.dangling_instr_seq(ValType::Ref(RefType::EXNREF)).id();
        let catches = vec![TryTableCatch::Catch { tag, label: js }, TryTableCatch::CatchAllRef { label: any }];
        builder.instr_seq(js).instr(TryTable { seq: body, catches }).unreachable();
        builder.instr_seq(any).instr(Block { seq: js }).drop();
        if ends {
            builder.instr_seq(any).instr(Return {});
        } else {
            builder.instr_seq(any).unreachable();
        }
        let mut entry = builder.func_body();
        entry.instr(Block { seq: any }).instr(LocalSet { local: exception });
        entry.instr(LocalGet { local: exception }).instr(ThrowRef {});
        let wrapper = builder.finish(Vec::new(), &mut module.funcs);
        module.exports.add("wrapper", wrapper);
        module
    }

    #[test]
    fn a_wrapper_is_written_in_the_older_encoding() {
        let mut module = module(true);
        use_older_encoding(&mut module).unwrap();
        let (_, function) = module.funcs.iter_local().next().unwrap();
        assert!(!has_newer_encoding(function));
        let instrs = &function.block(function.entry_block()).instrs;
        assert!(matches!(instrs.as_slice(), [(Instr::Try(_), _), (Instr::Unreachable(_), _)]));
        // The result is a valid module, and has no type of the newer encoding.
        let bytes = module.emit_wasm();
        let reread = Module::from_buffer(&bytes).unwrap();
        assert_eq!(reread.locals.iter().filter(|local| local.ty() == ValType::Ref(RefType::EXNREF)).count(), 0);
    }

    #[test]
    fn another_form_is_refused() {
        assert!(use_older_encoding(&mut module(false)).is_err());
        assert!(use_older_encoding(&mut Module::default()).is_ok());
    }
}
