#!/bin/sh
# 070_browser.t - the pages, looked at by a real browser: see run.mjs. Skipped, loudly, where there is none.
exec node "$(dirname "$0")/run.mjs"
