// Counts the crossings of the border between JavaScript and the wasm instance: it wraps what the module imports and
// exports, and has to be loaded before the module is instantiated.

/** Calls since the start: of exports by JavaScript, and of imports by Rust, by name. */
export const crossings = { exports: new Map(), imports: new Map() };

/** The memory of the latest instance. */
export let memory;

const { Instance } = WebAssembly;

WebAssembly.Instance = function (module, imports) {
  const spaces = Object.entries(imports).map(([space, members]) => [space, counted(members, crossings.imports)]);
  const instance = new Instance(module, Object.fromEntries(spaces));
  memory = instance.exports.memory;
  return { exports: counted(instance.exports, crossings.exports) };
};

function counted(members, counts) {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => {
    if (typeof member !== "function") return [name, member];
    return [name, (...parameters) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return member(...parameters);
    }];
  }));
}
