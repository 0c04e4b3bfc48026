"""One training run by TRL, for `trainer.py` to compare with. Runs under an interpreter that has TRL, and only there.

    PYTHON trainer_trl.py SETTINGS.json

The settings name the model directories, the data, and how TRL is to be set; the result is one JSON line.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from transformers.utils import logging
from trl import SFTConfig, SFTTrainer
from trl.experimental.gkd import GKDConfig, GKDTrainer


def chats(path: Path) -> list[list[dict[str, str]]]:
    def chat(line: str) -> list[dict[str, str]]:
        record = json.loads(line)
        system = [{"role": "system", "content": block["text"]} for block in record.get("system", [])]
        return system + [
            {"role": message["role"], "content": message["content"][0]["text"]}
            for message in record["messages"]
        ]

    return [chat(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Watch(TrainerCallback):
    """Wall and processor time of each optimizer step, data loading included."""

    def __init__(self) -> None:
        self.marks: list[float] = []
        self.processor: list[float] = []

    def on_step_begin(self, *_args, **_options):
        if not self.marks:
            self._mark()

    def on_step_end(self, *_args, **_options):
        self._mark()

    def _mark(self) -> None:
        self.marks.append(time.perf_counter())
        self.processor.append(time.process_time())


class Counting:
    """A collator that counts the tokens it hands out, padding excluded."""

    def __init__(self, collator) -> None:
        self.collator = collator
        self.tokens: list[int] = []

    def __call__(self, examples):
        batch = self.collator(examples)
        self.tokens.append(int(batch["attention_mask"].sum()))
        return batch


def main() -> None:
    settings = json.loads(Path(sys.argv[1]).read_text())
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(settings["threads"])
    tokenizer = AutoTokenizer.from_pretrained(settings["student"])
    common = {
        "output_dir": settings["work"],
        "max_steps": settings["steps"],
        "per_device_train_batch_size": settings["batch_size"],
        "learning_rate": settings["learning_rate"],
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(0.1 * settings["steps"]),
        "weight_decay": 0.01,
        "optim": "adamw_torch_fused",
        "use_cpu": True,
        "bf16": settings["bf16"],
        "gradient_checkpointing": False,
        "train_sampling_strategy": settings["sampling"],
        "logging_steps": settings["steps"],
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "max_length": 1024,
        "seed": 0,
    }
    student = AutoModelForCausalLM.from_pretrained(settings["student"], dtype=torch.float32)
    data = chats(Path(settings["data"]))
    watch = Watch()
    if settings["teacher"]:
        lengths = [len(tokenizer.apply_chat_template(chat)["input_ids"]) for chat in data]
        trainer = GKDTrainer(
            model=student,
            teacher_model=AutoModelForCausalLM.from_pretrained(settings["teacher"], dtype=torch.float32),
            args=GKDConfig(lmbda=0.0, beta=0.0, **common),
            train_dataset=Dataset.from_dict({"messages": data, "length": lengths}),
            processing_class=tokenizer,
            callbacks=[watch],
        )
    else:
        trainer = SFTTrainer(
            model=student,
            args=SFTConfig(**common),
            train_dataset=Dataset.from_dict(
                {"prompt": [chat[:-1] for chat in data], "completion": [chat[-1:] for chat in data]}
            ),
            processing_class=tokenizer,
            callbacks=[watch],
        )
    counting = trainer.data_collator = Counting(trainer.data_collator)
    trainer.train()
    steps = [after - before for before, after in zip(watch.marks, watch.marks[1:], strict=False)]
    print(
        json.dumps(
            {
                "steps": steps,
                "processor_s": watch.processor[-1] - watch.processor[0],
                "tokens": counting.tokens[: len(steps)],
                "loss": trainer.state.log_history[0].get("loss"),
            }
        )
    )


if __name__ == "__main__":
    main()
