// Lets the conformance suite run on Node 20, whose `fs` has no `globSync`. The suite's client and server commands do not
// call it. Use: node --import ./tests/mcp/with_glob.mjs node_modules/.bin/conformance ...
import { register } from "node:module";

const hooks = `
export async function resolve(specifier, context, next) {
  if (specifier === "fs" && context.parentURL?.includes("/conformance/dist/")) {
    return { url: "with-glob:fs", shortCircuit: true };
  }
  return next(specifier, context);
}
export async function load(url, context, next) {
  if (url !== "with-glob:fs") return next(url, context);
  const source = 'export * from "node:fs"; export { default } from "node:fs";'
    + ' export const globSync = () => { throw new Error("globSync needs Node 22"); };';
  return { format: "module", source, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
