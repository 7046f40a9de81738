import { defineConfig } from "rolldown";
import { dts } from "rolldown-plugin-dts";

/** The package's types in one file, so that they resolve wherever a host's TypeScript looks. */
export default defineConfig({
  input: { index: "src/package/index.ts" },
  output: { dir: "lib" },
  external: [/\.css$/],
  plugins: [dts({ tsconfig: "tsconfig.json", emitDtsOnly: true })],
});
