/* base.h - all of base: what every part may use and that knows nothing of any. */
#ifndef BASE_BASE_H
#define BASE_BASE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/confine.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/ipc.h"
#include "base/json.h"
#include "base/loop.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/sys.h"
#include "base/text.h"
#include "base/time.h"
#include "base/trace.h"

#endif
