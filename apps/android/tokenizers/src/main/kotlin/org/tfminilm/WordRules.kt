package org.tfminilm

/** Whose rules make words of a text, before the words are cut. */
enum class WordRules(val id: String) {
    BERT("bert"),
    KERAS_HUB("keras_hub"),
}
