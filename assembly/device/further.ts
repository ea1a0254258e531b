// The contract of a model that has more than the window's groups: addresses of what its further layers and its attention over positions
// read, by the names of the file's tensors. It is compiled together with index.ts, for such shapes alone.
import { BAG_LAYER, STATES_LAYER, WIDTH_0, WIDTH_1 } from "../shape";
import { END, U0, U_1, U_1_LEVELS, U_1_SCALE, U_2, U_2_LEVELS, U_2_SCALE } from "./layout";

export { W as BLOCK_W, W0 as BLOCK_W0 } from "./layout";
/** Those of the layers that read the document and hidden states, where the shape has them; else where the memory ends. */
export const DOCUMENT_U: usize = BAG_LAYER == 1 ? U_1 : BAG_LAYER == 2 ? U_2 : END;
export const DOCUMENT_U_LEVELS: usize = BAG_LAYER == 1 ? U_1_LEVELS : BAG_LAYER == 2 ? U_2_LEVELS : END;
export const DOCUMENT_U_SCALE: usize = BAG_LAYER == 1 ? U_1_SCALE : BAG_LAYER == 2 ? U_2_SCALE : END;
export const DOCUMENT_U0: usize = BAG_LAYER == 1 ? U0 + WIDTH_0 * 4 : BAG_LAYER == 2 ? U0 + (WIDTH_0 + WIDTH_1) * 4 : END;
export const STACKED_U: usize = STATES_LAYER == 1 ? U_1 : STATES_LAYER == 2 ? U_2 : END;
export const STACKED_U_LEVELS: usize = STATES_LAYER == 1 ? U_1_LEVELS : STATES_LAYER == 2 ? U_2_LEVELS : END;
export const STACKED_U_SCALE: usize = STATES_LAYER == 1 ? U_1_SCALE : STATES_LAYER == 2 ? U_2_SCALE : END;
export const STACKED_U0: usize = STATES_LAYER == 1 ? U0 + WIDTH_0 * 4 : STATES_LAYER == 2 ? U0 + (WIDTH_0 + WIDTH_1) * 4 : END;
