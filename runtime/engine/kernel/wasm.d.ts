// What workerd makes of an imported .wasm.
declare module '*.wasm' {
  const module: WebAssembly.Module;
  export default module;
}
