// What workerd and the bundlers make of files that are imported.
declare module '*.onnx' {
  const bytes: ArrayBuffer;
  export default bytes;
}
