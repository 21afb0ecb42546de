// Runs the program @modelcontextprotocol/conformance with the given arguments. Node 20 lacks fs.globSync, which the program
// imports for one command that the tests do not use. So its import of `fs` gets a module that has it.
import { createRequire, register } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

const fs = 'export * from "node:fs"; export { default } from "node:fs"; export const globSync = undefined'
const hooks = `export const resolve = (specifier, context, next) =>
  specifier === 'fs' && context.parentURL?.includes('/conformance/dist/')
    ? { url: ${JSON.stringify(`data:text/javascript,${encodeURIComponent(fs)}`)}, shortCircuit: true }
    : next(specifier, context)`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

const entry = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist/index.js')
process.argv.splice(1, 1, entry)
await import(pathToFileURL(entry).href)
