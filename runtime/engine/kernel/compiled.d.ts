// What the package's `.wasm` subpaths are to a bundler of workerd's: compiled modules.
declare const module: WebAssembly.Module;
export default module;
