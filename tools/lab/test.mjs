// Everything that `npm test` of the lab checks.
import { testPackage } from "../package-tests.mjs";

await testPackage("lab", import.meta.url);
