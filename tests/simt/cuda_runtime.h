#pragma once
#include "tests/simt/device.h"
#include "tests/simt/host_api.h"
