// Everything that `npm test` of the peers checks.
import { testPackage } from "../package-tests.mjs";

await testPackage("peers", import.meta.url);
