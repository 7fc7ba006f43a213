/* Any bytes as a template: taken apart and put together with each reference's own text as its value, it is
 * the template without the braces and blanks around references; nothing of it is lost, added or moved. */
#include "template.h"

#include "base/reference.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void expect(bool right)
{
    if (!right)
        abort();
}

/* Walks the pieces along the template; what lies between two is braces, blanks and the one reference. */
static void check_pieces(const struct template *template, const char *bytes, size_t size)
{
    const char *at = bytes;

    for (size_t i = 0; i < template->piece_count; i++) {
        const struct template_piece *piece = &template->pieces[i];

        expect(piece->bytes == at);
        at += piece->size;
        if (piece->reference == TEMPLATE_NO_REFERENCE) {
            expect(i + 1 == template->piece_count && at == bytes + size);
            return;
        }
        expect(piece->reference < template->reference_count && at[0] == '{' && at[1] == '{');
        const struct template_reference *reference = &template->references[piece->reference];
        for (at += 2; *at == ' ' || *at == '\t'; at++)
            ;
        expect(memcmp(at, reference->text, reference->size) == 0);
        for (at += reference->size; *at == ' ' || *at == '\t'; at++)
            ;
        expect(at[0] == '}' && at[1] == '}');
        at += 2;
    }
    expect(size == 0);
}

static void check_references(const struct template *template)
{
    for (size_t i = 0; i < template->reference_count; i++) {
        char text[REFERENCE_MAX + 1];
        struct reference reference;
        struct failure failure;

        expect(template->references[i].size <= REFERENCE_MAX);
        memcpy(text, template->references[i].text, template->references[i].size);
        text[template->references[i].size] = '\0';
        expect(strlen(text) == template->references[i].size);
        expect(reference_parse(text, &failure, &reference) == STATUS_OK);
        for (size_t j = 0; j < i; j++)
            expect(template->references[j].size != template->references[i].size ||
                   memcmp(template->references[j].text, text, strlen(text)) != 0);
    }
}

static void check_output(struct template *template, size_t size)
{
    struct failure failure;
    size_t total = 0;
    int descriptor = memfd_create("output", MFD_CLOEXEC);

    for (size_t i = 0; i < template->reference_count; i++)
        expect(secret_append(&template->references[i].value, template->references[i].text,
                             template->references[i].size));
    for (size_t i = 0; i < template->piece_count; i++)
        total += template->pieces[i].size + (template->pieces[i].reference == TEMPLATE_NO_REFERENCE
                                                 ? 0
                                                 : template->references[template->pieces[i].reference].size);
    expect(total <= size && template_check_size(template, &failure) == STATUS_OK);
    expect(template_write(template, descriptor) && lseek(descriptor, 0, SEEK_CUR) == (off_t)total);
    close(descriptor);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct template template = {0};
    struct failure failure = {.sentence = ""};
    char *copy = malloc(size + 4);

    memcpy(copy, bytes, size);
    memset(copy + size, 0, 4);
    if (template_parse(copy, size, "it", &failure, &template) == STATUS_OK) {
        check_pieces(&template, copy, size);
        check_references(&template);
        check_output(&template, size);
    } else {
        expect(failure.sentence[0] != '\0' && template.pieces == NULL);
    }
    template_reset(&template);
    free(copy);
    return 0;
}
