// The studio's first page leads to what there is; while that is labelling alone, it leads there at once.

import { go } from "../router.js";

export const home = () => go("/label", { replace: true });
