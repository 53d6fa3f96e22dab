package org.tfminilm

import java.io.File
import java.io.InputStream
import java.security.MessageDigest
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

class ModelBundleTest {
    @get:Rule
    val folder = TemporaryFolder()

    private fun copy(): File {
        Golden.file("small/classification").copyRecursively(folder.root, overwrite = true)
        return folder.root
    }

    private fun change(edit: (JSONObject) -> Unit) {
        val file = File(copy(), BundleManifest.FILE)
        val json = JSONObject(file.readText())
        edit(json)
        file.writeText(json.toString())
    }

    /** Writes a file and its new sum into the manifest. */
    private fun replace(name: String, content: ByteArray) {
        change { json ->
            val digest = MessageDigest.getInstance("SHA-256").digest(content)
            json.getJSONObject("files").getJSONObject(name)
                .put("bytes", content.size)
                .put("sha256", digest.joinToString("") { "%02x".format(it) })
        }
        File(folder.root, name).writeBytes(content)
    }

    private fun assertRefused(vararg words: String) {
        val error = assertThrows(BundleException::class.java) {
            LiteRtEngine(ModelBundle.open(FolderFiles(folder.root)).also { it.tokenizer() }).close()
        }
        for (word in words) assertTrue(error.message, word in error.message)
    }

    @Test
    fun `a good bundle says what it is`() {
        val manifest = ModelBundle.open(FolderFiles(copy())).manifest
        assertEquals(TaskKind.CLASSIFICATION, manifest.task)
        assertEquals(listOf("bad", "neutral", "good"), manifest.labels)
        assertEquals(listOf(16, 48, 128), manifest.signatures.map { it.length })
    }

    @Test
    fun `a missing file`() {
        File(copy(), "vocab.txt").delete()
        assertRefused("vocab.txt", "missing")
    }

    @Test
    fun `another size, another content`() {
        File(copy(), "vocab.txt").appendText("x")
        assertRefused("vocab.txt", "bytes")
        val model = File(copy(), BundleManifest.MODEL)
        model.writeBytes(model.readBytes().also { it[1000] = (it[1000] + 1).toByte() })
        assertRefused(BundleManifest.MODEL, "SHA-256")
    }

    @Test
    fun `damaged manifests`() {
        File(copy(), BundleManifest.FILE).writeText("{")
        assertRefused("manifest is damaged")
        File(folder.root, BundleManifest.FILE).writeBytes(byteArrayOf(-1, -2))
        assertRefused("manifest.json", "cannot be read")
        File(folder.root, BundleManifest.FILE).writeText("{}")
        assertRefused("no bundle")
    }

    @Test
    fun `a newer version, an unknown task, another tokenizer`() {
        change { it.put("format_version", 3) }
        assertRefused("version 3", "update the app")
        change { it.put("format_version", 1) }
        assertRefused("version 1", "export the model again")
        change { it.put("task", "translation") }
        assertRefused("translation")
        change { it.getJSONObject("tokenizer").put("kind", "bytes") }
        assertRefused("bytes", "wordpiece")
        change {
            it.getJSONObject("tokenizer").put("kind", "sentencepiece").put("id_offset", 1)
                .put("separators_between_texts", 1)
        }
        assertRefused("SentencePiece", "damaged")
    }

    @Test
    fun `one text or two`() {
        assertEquals(1, ModelBundle.open(FolderFiles(copy())).manifest.texts)
        assertEquals(2, Golden.bundle("small/pairs").manifest.texts)
        change { it.remove("num_texts") }
        assertRefused("num_texts is missing")
    }

    @Test
    fun `a name that leads out of the bundle`() {
        change { it.getJSONObject("tokenizer").put("vocabulary", "../vocab.txt") }
        assertRefused("no checksum of ../vocab.txt")
    }

    @Test
    fun `wrong shapes`() {
        change { json ->
            val signature = json.getJSONObject("signatures").getJSONObject("encode_16")
            signature.put("length", 17)
        }
        assertRefused("encode_16", "[1, 17]")
        change { json ->
            val signature = json.getJSONObject("signatures").getJSONObject("encode_16")
            signature.put("length", 17)
            for (name in listOf("token_ids", "segment_ids", "padding_mask")) {
                signature.getJSONObject("inputs").getJSONObject(name)
                    .getJSONArray("shape").put(1, 17)
            }
        }
        assertRefused("not what its manifest describes")
        change { it.getJSONObject("signatures").getJSONObject("encode_16").put("outputs", JSONObject()) }
        assertRefused("encode_16.outputs.logits is missing")
    }

    @Test
    fun `a question that leaves no room for the text`() {
        Golden.file("small/question_answering").copyRecursively(folder.root, overwrite = true)
        val file = File(folder.root, BundleManifest.FILE)
        val json = JSONObject(file.readText())
        for ((tokens, isRefused) in mapOf(124 to false, 125 to true)) {
            json.getJSONObject("question_answering").put("max_question_tokens", tokens)
            file.writeText(json.toString())
            if (isRefused) assertRefused("no room for a text") else ModelBundle.open(FolderFiles(folder.root))
        }
    }

    @Test
    fun `a manifest without end`() {
        val endless = object : BundleFiles by FolderFiles(copy()) {
            override fun open(name: String) = object : InputStream() {
                override fun read() = ' '.code
            }
        }
        val error = assertThrows(BundleException::class.java) { ModelBundle.open(endless) }
        assertTrue(error.message, "more than" in error.message)
    }

    @Test
    fun `a file that is no model`() {
        replace(BundleManifest.MODEL, ByteArray(100))
        assertRefused("no LiteRT file")
    }

    @Test
    fun `vocabularies with a word twice, or without a special token`() {
        val words = File(copy(), "vocab.txt").readLines()
        replace("vocab.txt", (words.dropLast(1) + words[5000]).joinToString("\n", postfix = "\n").toByteArray())
        assertRefused("twice")
        replace("vocab.txt", "[PAD]\n[UNK]\n".toByteArray())
        assertRefused("outside the vocabulary")
        replace("vocab.txt", (words + "onemoreword").joinToString("\n", postfix = "\n").toByteArray())
        assertRefused("has 30523 words, the model 30522")
        replace("vocab.txt", (words.dropLast(1) + "").joinToString("\n", postfix = "\n").toByteArray())
        assertRefused("word 30521 is \"\"")
    }
}
