# make                 ./nanodet, the libraries and build/tests/parity (release)
# make DEBUG=1         assertions on, dead memory filled with NaN; objects in build/debug
# make SANITIZE=address|undefined|thread, or two of them: address,undefined; assertions on, too;
#                      objects in build/address, ...; thread: by Clang
# make check           the unit tests that end within 90 seconds on two quiet cores; installs nothing
# make test            all tests that this machine can run (scripts/test.sh)
# make fuzz | soak     fuzzes each reader for a minute; for hours, with interrupted trainings and mAP of all exports
# make oracle          every model in configs/ against PyTorch's automatic differentiation, if it is installed
# make bench           speed, also of other installed programs; BENCH="--rounds 1 --seconds 1" for a short run
# make race            accuracy after a training of fixed time, one training per call; RACE="--data bccd"
# make install         into PREFIX, below DESTDIR: program, libraries, header, pkg-config file
CC      ?= cc
PREFIX  ?= /usr/local
BUILD   ?= build
# Bottom to top: a room includes only rooms before it.
ROOMS    = base ranks config data synth report eval kernel interop graph op detect
ROOMS   += deploy model weights runtime export train api serve

PACKAGES  = yaml-0.1 libpng libjpeg libcjson expat libzip zlib
CAIRO    ?= $(shell pkg-config --exists cairo && echo cairo)
OPENBLAS ?= $(shell pkg-config --exists openblas && echo openblas)
# The oldest version whose handlers return enum MHD_Result.
MICROHTTPD ?= $(shell pkg-config --exists 'libmicrohttpd >= 0.9.71' && echo libmicrohttpd)
# Any MPI whose compiler flags pkg-config knows; the program loads it itself, if a launcher has started it.
MPI ?= $(firstword $(foreach m,mpi-c mpich ompi-c,$(shell pkg-config --exists $m && echo $m)))
WARNINGS  = -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
CFLAGS   ?= -O2 -g
CPPFLAGS += -Isrc -Iinclude -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES) $(CAIRO) $(OPENBLAS) $(MICROHTTPD)) \
            $(if $(CAIRO),-DHAVE_CAIRO) $(if $(OPENBLAS),-DHAVE_OPENBLAS) $(if $(MICROHTTPD),-DHAVE_MICROHTTPD)
ALL_CFLAGS = -std=c17 $(WARNINGS) -fopenmp -fPIC -MMD -MP $(CPPFLAGS) $(CFLAGS) $(EXTRA)
LIBS     += $(shell pkg-config --libs $(PACKAGES) $(CAIRO) $(MICROHTTPD)) -ldl -lm -lpthread -fopenmp

ifdef SANITIZE
BUILD  := $(BUILD)/$(SANITIZE)
CFLAGS  = -O1 -g1 -fno-omit-frame-pointer
EXTRA  += -fsanitize=$(SANITIZE) -DDEBUG_MEMORY -DSANITIZED -DSAMPLE=4
# Clang's OpenMP tells the thread sanitizer what orders the threads (libarcher.so); that of GCC does not.
ifeq ($(SANITIZE),thread)
CC      = clang
EXTRA  += -Wno-pass-failed
endif
ifneq ($(findstring undefined,$(SANITIZE)),)
EXTRA  += -fno-sanitize-recover=all
endif
else ifdef DEBUG
BUILD  := $(BUILD)/debug
CFLAGS  = -O1 -g
EXTRA  += -DDEBUG_MEMORY
else
EXTRA  += -DNDEBUG
endif
ifdef FUZZ
EXTRA  += -fsanitize=fuzzer-no-link -Wno-pass-failed
endif

SOURCES = $(foreach r,$(ROOMS),$(wildcard src/$r/*.c src/$r/*/*.c))
OBJECTS = $(SOURCES:%.c=$(BUILD)/%.o)
CLI     = $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/cli/*.c))
TESTS   = $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c)) \
          $(BUILD)/tests/float_gradients $(BUILD)/tests/float_transformer
FUZZERS = $(patsubst tests/fuzz/%.c,$(BUILD)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
PARITY  = $(patsubst %.c,$(BUILD)/objects/%.o,$(wildcard tests/parity/*.c))

all: nanodet $(BUILD)/libnanodet.a $(BUILD)/libnanodet.so $(BUILD)/tests/parity

# A copy of the program of the last build: release, debug or sanitized.
nanodet: $(BUILD)/nanodet FORCE
	@cmp -s $< $@ || cp $< $@
.PHONY: FORCE

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/objects/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# The page of a training as the elements of an array.
$(BUILD)/src/serve/watch.o: $(BUILD)/serve/page.inc
$(BUILD)/src/serve/watch.o: CPPFLAGS += -I$(BUILD)
$(BUILD)/serve/page.inc: src/serve/page.html
	@mkdir -p $(@D)
	od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g' > $@

# The sources cast no const away; tests may.
$(OBJECTS) $(CLI): WARNINGS += -Wcast-qual

# The plain kernels call the C library instead of vector code; Clang would warn about that.
$(BUILD)/src/kernel/isa_ref.o $(BUILD)/double/src/kernel/isa_ref.o: EXTRA += -Wno-pass-failed

# The plain reference of the matrix unit would take minutes without optimisation.
$(BUILD)/src/kernel/amx_ref.o: EXTRA += -O2

ifneq ($(MPI),)
$(BUILD)/src/ranks/mpi.o: EXTRA += -DHAVE_MPI $(shell pkg-config --cflags $(MPI))
endif

# One body, compiled once per instruction set.  Each file exports its table alone.  With sanitizers -O3 takes minutes.
FAST = $(if $(SANITIZE),,-O3) -ffp-contract=fast -fno-math-errno -fno-trapping-math
$(BUILD)/src/kernel/isa_neon.o:   EXTRA += $(FAST)
$(BUILD)/src/kernel/isa_sse.o:    EXTRA += $(FAST)
$(BUILD)/src/kernel/isa_blas.o:   EXTRA += $(FAST)
ifneq ($(filter x86_64%,$(shell $(CC) -dumpmachine)),)
$(BUILD)/src/kernel/isa_avx2.o:   EXTRA += $(FAST) -mavx2 -mfma
$(BUILD)/src/kernel/isa_avx512.o: EXTRA += $(FAST) -mavx512f -mavx512dq -mavx512vl -mavx512bw -mfma \
    -mprefer-vector-width=512
$(BUILD)/src/kernel/amx.o:  EXTRA += $(FAST) -mavx512f -mavx512bw -mavx512vl -mavx512bf16 -mamx-tile -mamx-bf16
endif

# Ops, executor and plain kernels once more in double, for gradient checks.
DOUBLE_SOURCES = $(wildcard src/base/*.c src/ranks/*.c src/graph/*.c src/op/*.c src/op/*/*.c src/kernel/*.c)
DOUBLE = $(DOUBLE_SOURCES:%.c=$(BUILD)/double/%.o)
$(DOUBLE): $(BUILD)/double/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DREAL_IS_DOUBLE -c $< -o $@

# For the program and the tests.
INTERNAL = $(BUILD)/libinternal.a
$(INTERNAL): $(OBJECTS)
	rm -f $@
	ar rcs $@ $^

# One object, in which only the names of the map are global.
OBJCOPY ?= $(shell $(CC) -print-prog-name=objcopy)
# The library does not serve pages.
LIBRARY = $(filter-out $(BUILD)/src/serve/%,$(OBJECTS))
LIBRARY_LIBS = $(filter-out -lmicrohttpd,$(LIBS))
$(BUILD)/libnanodet.a: $(LIBRARY) src/api/nanodet.map
	rm -f $@
	tr -s '{};: ' '\n' < src/api/nanodet.map | grep '^nanodet_' > $(BUILD)/exported
	$(CC) -nostdlib -r $(LIBRARY) -o $(BUILD)/nanodet.o
	$(OBJCOPY) --keep-global-symbols=$(BUILD)/exported $(BUILD)/nanodet.o
	ar rcs $@ $(BUILD)/nanodet.o

# A program runs with any library version of the same first number.
VERSION = $(shell sed -n 's/.*define NANODET_VERSION "\(.*\)"/\1/p' include/nanodet.h)
SONAME  = libnanodet.so.$(firstword $(subst ., ,$(VERSION)))
$(BUILD)/libnanodet.so: $(LIBRARY) src/api/nanodet.map
	$(CC) $(ALL_CFLAGS) -shared $(LIBRARY) -o $@ -Wl,-soname,$(SONAME) -Wl,--version-script=src/api/nanodet.map \
	    $(LDFLAGS) $(LIBRARY_LIBS)

$(BUILD)/nanodet: $(CLI) $(INTERNAL)
	$(CC) $(ALL_CFLAGS) $^ -o $@ $(LDFLAGS) $(LIBS)

$(BUILD)/tests/parity: $(PARITY) $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $^ -o $@ $(LDFLAGS) $(LIBS)

# A test is one file with its own main; tests named test_op* check gradients in double.
$(BUILD)/tests/test_op%: tests/test_op%.c $(DOUBLE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DREAL_IS_DOUBLE -Itests $(filter %.c %.o,$^) -o $@ $(LDFLAGS) -lcmocka $(LIBS)
# Gradients once more in float, as the fast kernels compute them.
$(BUILD)/tests/float_%: tests/test_op_%.c $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Wno-conversion -Itests $(filter %.c %.a,$^) -o $@ $(LDFLAGS) -lcmocka $(LIBS)
$(BUILD)/tests/test_%: tests/test_%.c $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests $(filter %.c %.o,$^) $(INTERNAL) -o $@ $(LDFLAGS) -lcmocka $(LIBS)
$(BUILD)/tests/test_args: $(BUILD)/src/cli/args.o
# Tests of whole commands include typed.h and link the commands.
TYPED = $(patsubst tests/%.c,$(BUILD)/tests/%,$(shell grep -l '"typed.h"' tests/test_*.c))
$(TYPED) $(BUILD)/tests/test_defects: $(filter-out %/main.o,$(CLI))
$(BUILD)/tests/test_check: $(filter-out %/main.o,$(CLI))

# Preloaded into the program by tests/faults/faults.sh; never sanitized itself.
build/tests/inject.so: tests/faults/inject.c
	@mkdir -p $(@D)
	$(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) -O1 -g -fPIC -shared $< -o $@
# Programs of the oracle, the export tests and the benchmarks; not part of the product.
BENCHES = $(patsubst tests/bench/%.c,$(BUILD)/tests/bench_%,$(wildcard tests/bench/*.c))
$(BENCHES): $(BUILD)/tests/bench_%: tests/bench/%.c
$(BUILD)/tests/oracle_dump: tests/oracle/dump.c
$(BUILD)/tests/deploy_dump: tests/deploy/dump.c
$(BUILD)/tests/oracle_dump $(BUILD)/tests/deploy_dump $(BENCHES): $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests $(filter %.c,$^) $(INTERNAL) -o $@ $(LDFLAGS) $(LIBS)

# A fuzz target defines LLVMFuzzerTestOneInput; the driver runs it over saved files, FUZZ=1 links libFuzzer instead.
$(BUILD)/tests/fuzz_%: tests/fuzz/fuzz_%.c $(if $(FUZZ),,tests/fuzz/driver.c) $(INTERNAL)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Itests $(if $(FUZZ),-fsanitize=fuzzer) $(filter %.c %.a,$^) -o $@ $(LDFLAGS) $(LIBS)

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/include $(DESTDIR)$(PREFIX)/lib/pkgconfig
	install nanodet $(DESTDIR)$(PREFIX)/bin
	install -m 644 include/nanodet.h $(DESTDIR)$(PREFIX)/include
	install -m 644 $(BUILD)/libnanodet.a $(DESTDIR)$(PREFIX)/lib
	install $(BUILD)/libnanodet.so $(DESTDIR)$(PREFIX)/lib/libnanodet.so.$(VERSION)
	ln -sf libnanodet.so.$(VERSION) $(DESTDIR)$(PREFIX)/lib/$(SONAME)
	ln -sf $(SONAME) $(DESTDIR)$(PREFIX)/lib/libnanodet.so
	printf '%s\n' 'Name: nanodet' 'Description: NanoDet object detectors' 'Version: $(VERSION)' \
	    'Cflags: -I$(PREFIX)/include' 'Libs: -L$(PREFIX)/lib -lnanodet' 'Libs.private: $(LIBRARY_LIBS)' \
	    > $(DESTDIR)$(PREFIX)/lib/pkgconfig/nanodet.pc

# Ends a program at one of its system calls (tests/kill_resume.sh).
$(BUILD)/tests/kill_at: tests/soak/kill_at.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(filter %.c,$^) -o $@

tests: $(TESTS) $(FUZZERS) $(BUILD)/tests/parity $(BUILD)/tests/kill_at $(BENCHES)
fuzzers: $(FUZZERS)
# Tests that take longer than 10 seconds each, or that need Python packages.
SLOW = test_configs test_onnx_python test_ncnn_python test_train test_guide test_defects test_absence test_scale \
       test_init test_run_length test_described
check: all tests
	@echo "left out: $(SLOW), and what else scripts/test.sh runs"
	sh scripts/style.sh
	sh scripts/run_tests.sh check $(BUILD) $(filter-out $(SLOW),$(notdir $(TESTS)))
test:
	sh scripts/test.sh
fuzz:
	sh tests/soak/fuzz.sh 60
oracle: $(BUILD)/tests/oracle_dump
	python3 tests/oracle/oracle.py --rounds 3 configs/*.yml
soak: nanodet $(BUILD)/tests/parity $(BUILD)/tests/kill_at build/tests/inject.so
	sh tests/soak/fuzz.sh 600
	sh tests/kill_resume.sh ./nanodet 220
	sh tests/faults/faults.sh ./nanodet build/tests/inject.so
	NANODET_ISA=ref build/tests/parity ../shared/parity/models
	$(MAKE) SANITIZE=thread build/thread/tests/test_backbones
	TSAN_OPTIONS=ignore_noninstrumented_modules=1 setarch $(shell uname -m) -R build/thread/tests/test_backbones
	sh tests/soak/ncnn.sh
	python3 tests/deploy/accuracy.py onnxruntime-fp32 onnxruntime-fp16 openvino-fp32 openvino-fp16 ncnn-fp32 ncnn-fp16
bench: nanodet $(BENCHES)
	python3 tests/bench/bench.py $(if $(BENCH),$(BENCH),--out docs/figures.md)
race: nanodet
	python3 tests/bench/race.py $(RACE)
clean:
	rm -rf $(BUILD) nanodet
.PHONY: all install tests fuzzers check test fuzz oracle soak bench race clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' -type f 2>/dev/null)
