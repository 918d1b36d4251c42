// Links that save sessions as a file, for the range being looked at.

import { address, segment } from "../api.js";
import { h } from "../dom.js";
import { icon } from "./icons.js";

/** CSV and JSON; `params`: start_date, end_date, channel, uid. */
export function exportLinks(app, params) {
  return ["csv", "json"].map((format) => h("a", {
    class: "button", download: true, href: address(`api/export/${segment(app)}`, { format, ...params }), title: `Save these sessions as ${format.toUpperCase()}`,
  }, icon("download"), format.toUpperCase()));
}
