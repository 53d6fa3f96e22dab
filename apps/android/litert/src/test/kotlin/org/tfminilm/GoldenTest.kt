package org.tfminilm

import org.junit.Test

/** Text in, answer out: the app's classes and Python's on the same bundles. */
class GoldenTest {
    private fun check(name: String) {
        val bundle = Golden.bundle(name)
        LiteRtEngine(bundle).use { Comparison(bundle, it).check(Golden.rows("$name.jsonl")) }
    }

    @Test
    fun `classifies as Python does`() = check("classification")

    @Test
    fun `classifies pairs as Python does`() = check("pairs")

    @Test
    fun `embeds as Python does`() = check("encoder")

    @Test
    fun `answers as Python does`() = check("question_answering")

    @Test
    fun `answers with a multilingual model as Python does`() = check("multilingual")
}
