"""Request and response bodies of the model families that complete a text, and of calls that are no conversation.

As in `bodies.py`, bodies are written from a known talk, and nothing of the package is used.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

pieces = runpy.run_path(str(Path(__file__).with_name("bodies.py")))["pieces"]

BAR, GAP = "\N{FULLWIDTH VERTICAL LINE}", "\N{LOWER ONE EIGHTH BLOCK}"
"""Of DeepSeek's marks."""


# --- Templates --------------------------------------------------------------------------------------------------------


def bare(rng, talk):
    """Whether a prompt goes without a template."""
    return len(talk.turns) == 1 and talk.system is None and rng.random() < 0.15


def llama3(talk, lead="<|begin_of_text|>"):
    turns = [("system", talk.system)] if talk.system is not None else []
    said = "".join(
        f"<|start_header_id|>{role}<|end_header_id|>\n\n{text}<|eot_id|>"
        for role, text in [*turns, *talk.turns]
    )
    return f"{lead}{said}<|start_header_id|>assistant<|end_header_id|>\n\n"


def inst(talk, mark="<<SYS>>\n{}\n<</SYS>>\n\n"):
    system = mark.format(talk.system) if talk.system is not None else ""
    out = ""
    for number, (role, text) in enumerate(talk.turns):
        if role == "user":
            out += f"<s>[INST] {system if number == 0 else ''}{text} [/INST]"
        else:
            out += f" {text} </s>"
    return out


def llama_request(rng, talk):
    if bare(rng, talk):
        prompt = talk.turns[0][1]
    elif rng.random() < 0.25:
        prompt = inst(talk)
    else:
        prompt = llama3(talk, rng.choice(["<|begin_of_text|>", "<|begin_of_text|>", ""]))
    return {"prompt": prompt, "max_gen_len": 512, "temperature": 0.1}


def mistral_request(rng, talk):
    prompt = talk.turns[0][1] if bare(rng, talk) else inst(talk)
    return {"prompt": prompt, "max_tokens": 400, "top_k": 50}


def deepseek_request(rng, talk):
    if bare(rng, talk):
        return {"prompt": talk.turns[0][1], "max_tokens": 512}
    out = f"<{BAR}begin{GAP}of{GAP}sentence{BAR}>"
    for role, text in talk.turns:
        user = role == "user"
        mark = "User" if user else "Assistant"
        out += f"<{BAR}{mark}{BAR}>{text}{'' if user else f'<{BAR}end{GAP}of{GAP}sentence{BAR}>'}"
    return {"prompt": f"{out}<{BAR}Assistant{BAR}><think>\n", "max_tokens": 512}


def titan_request(rng, talk):
    config = {"maxTokenCount": 512, "temperature": 0, "stopSequences": ["User:"]}
    if bare(rng, talk) or (len(talk.turns) == 1 and rng.random() < 0.5):
        return {"inputText": talk.turns[0][1], "textGenerationConfig": config}
    lines = [f"{'User' if role == 'user' else 'Bot'}: {text}\n" for role, text in talk.turns]
    return {"inputText": "".join(lines) + "Bot:", "textGenerationConfig": config}


def command_request(rng, talk):
    return {"prompt": talk.turns[0][1], "max_tokens": 400, "return_likelihoods": "NONE"}


def command_r_request(rng, talk):
    roles = {"user": "USER", "assistant": "CHATBOT"}
    body: dict[str, Any] = {"message": talk.turns[-1][1], "max_tokens": 400}
    if talk.turns[1:] or rng.random() < 0.3:
        body["chat_history"] = [{"role": roles[role], "message": text} for role, text in talk.turns[:-1]]
    return body if talk.system is None else body | {"preamble": talk.system}


# --- What template families answer ------------------------------------------------------------------------------------


def llama_response(rng, talk):
    return {
        "generation": talk.answer,
        "prompt_token_count": talk.asked,
        "generation_token_count": talk.answered,
        "stop_reason": talk.stop,
    }


def llama_chunks(rng, talk):
    parts = [*pieces(rng, talk.answer), ""]
    return [
        {
            "generation": part,
            "prompt_token_count": None if number else talk.asked,
            "generation_token_count": talk.answered if number == len(parts) - 1 else number + 1,
            "stop_reason": talk.stop if number == len(parts) - 1 else None,
        }
        for number, part in enumerate(parts)
    ]


def texts_response(key):
    def response(rng, talk, text=None):
        return {key: [{"text": talk.answer if text is None else text, "stop_reason": talk.stop}]}

    return response


def texts_chunks(key):
    def chunks(rng, talk, text=None):
        said = pieces(rng, talk.answer if text is None else text)
        return [
            *({key: [{"text": part, "stop_reason": None}]} for part in said),
            {key: [{"text": "", "stop_reason": talk.stop}]},
        ]

    return chunks


def deepseek_said(talk):
    """The thought, which the prompt's template opens, and the answer."""
    return f"First I weigh it.\n</think>\n\n{talk.answer}" if talk.extra == "thinking" else talk.answer


def deepseek_response(rng, talk):
    return texts_response("choices")(rng, talk, deepseek_said(talk))


def deepseek_chunks(rng, talk):
    return texts_chunks("choices")(rng, talk, deepseek_said(talk))


def titan_response(rng, talk):
    result = {"tokenCount": talk.answered, "outputText": talk.answer, "completionReason": talk.stop}
    return {"inputTextTokenCount": talk.asked, "results": [result]}


def titan_chunks(rng, talk):
    parts = [*pieces(rng, talk.answer), ""]
    last = len(parts) - 1
    return [
        {
            "outputText": part,
            "index": 0,
            "totalOutputTextTokenCount": talk.answered if number == last else None,
            "completionReason": talk.stop if number == last else None,
            "inputTextTokenCount": talk.asked if number == last else None,
        }
        for number, part in enumerate(parts)
    ]


def command_response(rng, talk):
    generation = {"id": "g1", "text": talk.answer, "finish_reason": talk.stop}
    return {"id": "r1", "prompt": talk.turns[0][1], "generations": [generation]}


def command_chunks(rng, talk):
    said = [{"text": part, "is_finished": False} for part in pieces(rng, talk.answer)]
    end = {"is_finished": True, "finish_reason": talk.stop, "response": command_response(rng, talk)}
    return [*said, end]


def command_r_response(rng, talk):
    history = [{"role": "USER", "message": talk.turns[-1][1]}, {"role": "CHATBOT", "message": talk.answer}]
    return {
        "response_id": "r1",
        "generation_id": "g1",
        "text": talk.answer,
        "chat_history": history,
        "finish_reason": talk.stop,
    }


def command_r_chunks(rng, talk):
    said = [
        {"event_type": "text-generation", "text": part, "is_finished": False}
        for part in pieces(rng, talk.answer)
    ]
    end = {"event_type": "stream-end", "is_finished": True, "finish_reason": talk.stop}
    start = {"event_type": "stream-start", "is_finished": False, "generation_id": "g1"}
    return [start, *said, end | {"response": command_r_response(rng, talk)}]


# --- Bodies that are no conversation ----------------------------------------------------------------------------------


def vector(rng, size):
    return [round(rng.gauss(0, 0.03), 9) for _ in range(size)]


def embedding(rng, text):
    """Model, request and response of an embedding call."""
    size = rng.choice([8, 256])
    floats = [vector(rng, size)]
    multimodal = {"inputText": text, "embeddingConfig": {"outputEmbeddingLength": 256}}
    return rng.choice(
        [
            (
                "amazon.titan-embed-text-v2:0",
                {"inputText": text, "dimensions": size, "normalize": True},
                {"embedding": floats[0], "inputTextTokenCount": 9},
            ),
            ("amazon.titan-embed-image-v1", multimodal, {"embedding": floats[0], "message": None}),
            (
                "cohere.embed-multilingual-v3",
                {"texts": [text], "input_type": "search_document"},
                {
                    "id": "e1",
                    "texts": [text],
                    "response_type": "embeddings_floats",
                    "embeddings": floats,
                },
            ),
        ]
    )


def image(rng, text):
    """Model, request and response of an image generation."""
    canvas = {"taskType": "TEXT_IMAGE", "textToImageParams": {"text": text}, "imageGenerationConfig": {}}
    pictures = {"images": ["iVBORw0KGgo="]}
    return rng.choice(
        [
            ("amazon.nova-canvas-v1:0", canvas, pictures | {"error": None}),
            ("amazon.titan-image-generator-v2:0", canvas, pictures),
            (
                "stability.stable-image-core-v1:1",
                {"prompt": text, "mode": "text-to-image", "output_format": "png"},
                pictures | {"seeds": [1], "finish_reasons": [None]},
            ),
        ]
    )


def unknown(rng, text):
    """Model, request and response in shapes that no text model has."""
    return rng.choice(
        [
            ("acme.oracle-v1:0", {"question": text}, {"reply": {"text": text}}),
            (
                "amazon.rerank-v1:0",
                {"query": text, "documents": [text], "api_version": 2},
                {"results": [{"index": 0, "relevance_score": 0.5}]},
            ),
            ("acme.oracle-v1:0", {"payload": json.dumps({"prompt": text})}, {"data": [text]}),
        ]
    )
