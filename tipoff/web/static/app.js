// What every page runs; without any of it the pages are complete.
import { startTimes } from "./time.js";
import { startLive } from "./live.js";
import { startForms } from "./forms.js";
import { startTheme } from "./theme.js";

startTimes();
startTheme();
startForms();
startLive();
document.body.dataset.ready = "1";
