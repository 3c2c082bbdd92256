/*
 * How the names in tokenizer.ggml.pre split text, as llama.cpp has it and, where that is the same
 * on all but invalid text, in the words of the tokenizer.json files that the names come from.
 */
#include <string.h>

#include "token/import_gguf_int.h"

#define GPT2         "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define LAST         "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define CL100K(digits) \
    CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" LAST
#define O200K_HEAD "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K_TAIL "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define O200K(c, digits)                                                                          \
    "[^\\r\\n\\p{L}\\p{N}]?" O200K_HEAD "*" O200K_TAIL "+" c "|[^\\r\\n\\p{L}\\p{N}]?" O200K_HEAD \
    "+" O200K_TAIL "*" c "|" digits "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" LAST
#define BLOOM " ?[^(\\s|.,!?…。，、।۔،)]+"
#define DEEPSEEK_V3                                                                      \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?" \
    "[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" LAST
/* letters with case, of the Unicode version that this list was made by */
/* The formatter counts bytes: */
/* clang-format off */
#define CASED                                                                                                                                    \
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-"                                        \
    "Ᏽ"                                                                                                                                        \
    "ᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-"       \
    "Ίῠ-"                                                                                                                                     \
    "Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-" \
    "ꞇꞋ-"                                                                                                                                    \
    "ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-"                                          \
    "𞥃"
/* clang-format on */

static const struct gguf_split splits[] = {
    {.names = " gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code gigachat "
              "a.x-4.0 mellum modern-bert roberta-bpe mpt olmo jais trillion granite-docling "
              "exaone4 ",
     .gpt2 = true},
    {.names = " starcoder refact command-r smollm codeshell exaone minerva-7b mellum2 ",
     .steps = {"#"},
     .gpt2 = true},
    {.names = " llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano ",
     .steps = {CL100K("\\p{N}{1,3}")},
     .ignore_merges = true,
     .bos = true},
    {.names = " dbrx smaug-bpe glm4 chatglm-bpe ", .steps = {CL100K("\\p{N}{1,3}")}},
    {.names = " qwen2 deepseek-r1-qwen megrez ", .steps = {CL100K("\\p{N}")}, .nfc = true},
    {.names = " stablelm2 hunyuan solar-open grok-2 ", .steps = {CL100K("\\p{N}")}},
    {.names = " qwen35 ",
     .steps = {CONTRACTIONS
               "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| ?[^\\s\\p{L}\\p{M}\\p{N}]+"
               "[\\r\\n]*|" LAST},
     .nfc = true},
    {.names = " gpt-4o llama4 kanana2 minimax-m2 ",
     .steps = {O200K(CONTRACTIONS "?", "\\p{N}{1,3}")}},
    {.names = " tekken ", .steps = {O200K("", "\\p{N}")}, .ignore_merges = true},
    {.names = " deepseek-v3 hunyuan-dense joyai-llm ",
     .steps = {"\\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", DEEPSEEK_V3}},
    {.names = " deepseek-coder ",
     .steps = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+", "[一-龥ࠀ-一가-\xed\x9f\xbf]+", "#"}},
    {.names = " deepseek-llm ",
     .steps = {"[\\r\\n]", "\\s?[" CASED "]+", "\\s?[!-/:-~！-／：-～‘-‟\u3000-。]+", "\\s+$",
               "[一-龥ࠀ-一가-\xed\x9f\xbf]+", "\\p{N}+"}},
    {.names = " falcon ", .steps = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", GPT2, "[0-9][0-9][0-9]"}},
    {.names = " bloom poro-chat gpt3-finnish ", .steps = {BLOOM}},
    {.names = " viking ", .steps = {BLOOM, "#"}},
    {.names = " chameleon ",
     .steps = {"<sentinel:[0-9]+>", "(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z", "([\\t\\n]|    |  )",
               "#", "[\\p{P}!-/:-@\\[-`{-~]"},
     .gpt2 = true},
    {.names = " bailingmoe bailingmoe2 llada-moe ",
     .steps = {"'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]++"
               "[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+"}},
    {.names = " seed-coder ",
     .steps = {CONTRACTIONS
               "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\\r\\n]+|" LAST}},
    {.names = " default ",
     .steps = {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
};

const struct gguf_split *gguf_split_of(const char *name, size_t n)
{
    char wanted[66];
    if (n == 0 || n + 3 > sizeof wanted || memchr(name, ' ', n))
        return NULL;
    wanted[0] = wanted[n + 1] = ' ';
    memcpy(wanted + 1, name, n);
    wanted[n + 2] = '\0';
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (strstr(splits[i].names, wanted))
            return &splits[i];
    return NULL;
}
