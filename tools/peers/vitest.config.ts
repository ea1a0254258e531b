export { default } from "../package-vitest.ts";
