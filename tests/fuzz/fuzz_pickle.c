/* Runs any bytes through the pickle machine and walks over all nodes that it leaves. */
#include "base/file.h"
#include "interop/pickle.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {0};
    struct pickle p;
    if (pickle_read(&p, (struct bytes){ (unsigned char *)data, size }, "input", &err)) {
        if (p.size > size || p.root >= p.count)
            abort();
        for (int i = 0; i < p.count; i++) {
            const struct pickle_node *node = &p.nodes[i];
            const bool fixed = node->kind != PICKLE_LIST && node->kind != PICKLE_DICT;
            for (int j = 0; j < node->count; j++)
                if (fixed && pickle_item(&p, node, j) >= node)          /* these may not form cycles */
                    abort();
            pickle_value(&p, node, "a");
            pickle_is_global(&p, node, "collections", "OrderedDict");
        }
    } else if (err.exit != 1 || !err.text[0])
        abort();
    pickle_free(&p);
    return 0;
}
