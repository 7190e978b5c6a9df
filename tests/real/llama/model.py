"""Writes a model of random numbers in the form of llama.cpp: FILE WINDOW."""

import sys

import gguf
import numpy

EMBEDDING, FEED_FORWARD, HEADS, BLOCKS = 64, 128, 4, 1
# Three signs of the model's own, and every byte.
TOKENS = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % byte for byte in range(256)]
UNKNOWN, CONTROL, BYTE = 2, 3, 6
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"


def main(path, window):
    numbers = numpy.random.default_rng(1)

    def random(*shape):
        return (numbers.standard_normal(shape) * 0.05).astype(numpy.float32)

    def ones():
        return numpy.ones(EMBEDDING, numpy.float32)

    model = gguf.GGUFWriter(path, "llama")
    model.add_context_length(int(window))
    model.add_embedding_length(EMBEDDING)
    model.add_feed_forward_length(FEED_FORWARD)
    model.add_block_count(BLOCKS)
    model.add_head_count(HEADS)
    model.add_head_count_kv(HEADS)
    model.add_layer_norm_rms_eps(1e-5)
    model.add_rope_dimension_count(EMBEDDING // HEADS)
    model.add_vocab_size(len(TOKENS))
    model.add_tokenizer_model("llama")
    model.add_token_list(TOKENS)
    model.add_token_scores([0.0] * len(TOKENS))
    model.add_token_types([UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256)
    model.add_unk_token_id(0)
    model.add_bos_token_id(1)
    model.add_eos_token_id(2)
    model.add_chat_template(TEMPLATE)
    model.add_tensor("token_embd.weight", random(len(TOKENS), EMBEDDING))
    model.add_tensor("output_norm.weight", ones())
    model.add_tensor("output.weight", random(len(TOKENS), EMBEDDING))
    for block in range(BLOCKS):
        name = f"blk.{block}."
        model.add_tensor(name + "attn_norm.weight", ones())
        model.add_tensor(name + "ffn_norm.weight", ones())
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            model.add_tensor(name + part + ".weight", random(EMBEDDING, EMBEDDING))
        model.add_tensor(name + "ffn_gate.weight", random(FEED_FORWARD, EMBEDDING))
        model.add_tensor(name + "ffn_up.weight", random(FEED_FORWARD, EMBEDDING))
        model.add_tensor(name + "ffn_down.weight", random(EMBEDDING, FEED_FORWARD))
    model.write_header_to_file()
    model.write_kv_data_to_file()
    model.write_tensors_to_file()
    model.close()


main(*sys.argv[1:])
