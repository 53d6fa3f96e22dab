package org.tfminilm

import java.io.File
import java.io.RandomAccessFile
import java.lang.management.ManagementFactory
import java.security.MessageDigest
import java.util.Random
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Bundles that somebody made to harm: each is refused in one sentence, at once. */
class HostileBundleTest {
    @get:Rule
    val folder = TemporaryFolder()

    private var slowest = 0.0

    private fun copy(name: String): File {
        folder.root.listFiles()!!.forEach { it.delete() }
        Golden.file(name).copyRecursively(folder.root, overwrite = true)
        return File(folder.root, BundleManifest.FILE)
    }

    /** Null where it is taken: then all of it works. */
    private fun refusal(): String? {
        val threads = ManagementFactory.getThreadMXBean()
        val start = threads.currentThreadCpuTime // Without other programs'.
        val message = try {
            tryOut(FolderFiles(folder.root), Remembered())
            null
        } catch (error: BundleException) {
            error.message
        }
        slowest = maxOf(slowest, (threads.currentThreadCpuTime - start) / 1e9)
        if (message != null) assertSentence(message)
        return message
    }

    private fun assertSentence(message: String) {
        assertTrue(message, message.length in 15..500 && message.any { it.isLetter() })
        assertTrue(message, message.none { it.isISOControl() || it in '\u2028'..'\u202e' || it in '\u2066'..'\u2069' })
    }

    private fun assertQuick(what: String, count: Int) {
        println("$what: $count, the slowest in %.2f s".format(slowest))
        assertTrue("$slowest s", slowest < 2)
    }

    private fun seal(name: String, content: ByteArray) {
        File(folder.root, name).writeBytes(content)
        val manifest = File(folder.root, BundleManifest.FILE)
        val json = JSONObject(manifest.readText())
        val digest = MessageDigest.getInstance("SHA-256").digest(content)
        json.getJSONObject("files").getJSONObject(name).put("bytes", maxOf(1, content.size))
            .put("sha256", digest.joinToString("") { "%02x".format(it) })
        manifest.writeText(json.toString())
    }

    @Test
    fun `texts that are no manifest`() {
        val manifest = copy("multi_label")
        val good = manifest.readText()
        val long = 900_000
        val texts = mapOf(
            "lists, deep" to "[".repeat(10_000),
            "lists, a million deep" to "[".repeat(1_000_000),
            "objects, deep" to "{\"a\":".repeat(10_000),
            "both, deep" to "{\"a\":[".repeat(10_000),
            // Android's reader takes single quotes, and comments.
            "deep behind a quote in quotes" to "{'\"': 1, 'a': ${"[".repeat(10_000)}",
            "deep behind a quote in a comment" to "{/* \" */ \"a\": ${"[".repeat(10_000)}",
            "deep behind a quote in a line" to "# \"\n${"[".repeat(10_000)}",
            "a comment" to "/* a */$good",
            "a mark of UTF-16" to "\ufeff$good",
            "something behind it" to "$good{}",
            "a comma too many" to good.replaceFirst("{", "{,"),
            "no quotes" to good.replaceFirst("\"format\"", "format"),
            "equals" to good.replaceFirst(":", "="),
            "a name twice" to good.replaceFirst("{", "{\"task\": \"encoder\","),
            "a name twice, spelled otherwise" to good.replaceFirst("{", "{\"t\\u0061sk\": \"encoder\","),
            "a name without end" to "{\"${"a".repeat(long)}",
            "a number without end" to "{\"a\": ${"1".repeat(long)}}",
            "an exponent without end" to "{\"a\": 1e${"9".repeat(long)}}",
            "a fraction without end" to "{\"a\": 0.${"0".repeat(long)}1e999}",
            "octal" to good.replaceFirst("\"format_version\": 2", "\"format_version\": 02"),
            "half a character" to good.replaceFirst("{", "{\"\\ud800\": 1,"),
            "a bad escape" to good.replaceFirst("{", "{\"\\x\": 1,"),
            "a cut escape" to "{\"\\u12",
            "a line in a text" to good.replaceFirst("{", "{\"a\nb\": 1,"),
            "a zero" to "\u0000$good",
            "blanks" to " ".repeat(long),
            "signs" to "-".repeat(long),
            "commas" to "[${",".repeat(long)}",
            "true, cut" to "tru",
            "directions" to "{\"format\": \"\\u202e\\u2066\\u0007\\n${"x".repeat(1000)}\"}",
        )
        for ((name, text) in texts) {
            manifest.writeText(text)
            assertTrue(name, refusal() != null)
        }
        for (charset in listOf(Charsets.UTF_16, Charsets.UTF_32)) {
            manifest.writeBytes(good.toByteArray(charset))
            assertTrue("$charset", refusal() != null)
        }
        assertQuick("texts", texts.size + 2)
    }

    @Test
    fun `values beyond what they may be`() {
        val huge = listOf(Int.MAX_VALUE, Long.MAX_VALUE / 10, -1, 0, 1e308, -0.5, "1", true, JSONObject.NULL)
        val numbers = mapOf(
            "question_answering" to listOf(
                *arrayOf("question_answering/max_question_tokens", "question_answering/max_answer_tokens"),
                *arrayOf("question_answering/document_stride", "signatures/encode_16/length", "num_texts"),
                *arrayOf("model/vocabulary_size", "model/parameters", "tokenizer/special_ids/sep"),
                *arrayOf("probe/tolerance", "files/vocab.txt/bytes", "format_version"),
            ),
            "multilingual" to listOf("tokenizer/id_offset", "tokenizer/separators_between_texts"),
        )
        var count = 0
        for ((bundle, places) in numbers) {
            for (place in places) {
                val taken = huge.map { it to refused(bundle, place, it) }.filter { it.second == null }
                count += huge.size
                // What is in a range is taken: a small stride, a first id, a large tolerance.
                assertTrue("$place: $taken", taken.size <= 2)
            }
        }
        assertQuick("numbers", count)
    }

    @Test
    fun `texts and lists without end`() {
        val long = "x".repeat(900_000)
        val many = JSONArray(List(100_000) { "$it" })
        val names = JSONObject().also { all -> repeat(20_000) { all.put("n$it", JSONObject()) } }
        val cases = listOf(
            *arrayOf("description" to long, "task" to long, "task_name" to long, "precision" to long),
            *arrayOf("format" to long, "labels" to many, "labels" to JSONArray(List(8) { "$it$long".take(90_000) })),
            *arrayOf("files" to names, "signatures" to names, "runtimes" to names, "probe/rows" to many),
            *arrayOf("tokenizer/special_ids" to names, "tokenizer/kind" to long, "tokenizer/rules" to long),
            *arrayOf("tokenizer/suffix_indicator" to long, "tokenizer/vocabulary" to long),
            *arrayOf("signatures/encode_16/outputs" to names, "signatures/encode_16/inputs" to names),
            *arrayOf("signatures/encode_16/inputs/token_ids/shape" to many),
            *arrayOf("multi_label_classification/thresholds" to many, "probe/rows/0/token_ids" to many),
            *arrayOf("sentence_embedding" to JSONObject().put("prompt", long), "score_activation" to long),
            *arrayOf("files/vocab.txt/sha256" to long, "tokenizer/vocabulary" to "../../../etc/passwd"),
            *arrayOf("tokenizer/vocabulary" to BundleManifest.MODEL, "tokenizer/vocabulary" to BundleManifest.FILE),
        )
        for ((place, value) in cases) assertTrue(place, refused("multi_label", place, value) != null)
        assertTrue(refused("tagged", "labels", JSONArray(List(9) { "tag $it" }))!!.contains("no tag"))
        assertQuick("long ones", cases.size + 1)
        // What is long, and may be: it is cut where it is shown.
        assertEquals(null, refused("multi_label", "description", "y".repeat(9999)))
        val shown = ModelBundle.manifest(FolderFiles(folder.root)).description
        assertEquals("y".repeat(999) + "\u2026", shown)
    }

    private fun refused(bundle: String, place: String, value: Any): String? {
        val manifest = copy(bundle)
        val json = JSONObject(manifest.readText())
        val path = place.split("/")
        var part: Any = json
        for (name in path.dropLast(1)) {
            part = if (part is JSONArray) part.get(name.toInt()) else (part as JSONObject).get(name)
        }
        (part as JSONObject).put(path.last(), value)
        manifest.writeText(json.toString())
        return refusal()
    }

    @Test
    fun `manifests that chance has changed`() {
        var refused = 0
        for (seed in 0 until 150) {
            val random = Random(seed.toLong())
            val manifest = copy(BUNDLES[seed % BUNDLES.size])
            val text = StringBuilder(manifest.readText())
            repeat(1 + random.nextInt(3)) {
                val at = random.nextInt(text.length)
                when (random.nextInt(4)) {
                    0 -> text.deleteCharAt(at)
                    1 -> text.insert(at, SIGNS[random.nextInt(SIGNS.length)])
                    2 -> text.setCharAt(at, random.nextInt(0xD800).toChar())
                    else -> text.setLength(maxOf(1, at))
                }
            }
            manifest.writeText("$text")
            if (refusal() != null) refused++
        }
        assertTrue("$refused", refused in 100..149)
        assertQuick("changed manifests", 150)
    }

    @Test
    fun `vocabularies that chance has changed`() {
        var refused = 0
        for (seed in 0 until 60) {
            val random = Random(seed.toLong())
            val name = if (seed % 2 == 0) "vocab.txt" else "sentencepiece.model"
            copy(if (seed % 2 == 0) "multi_label" else "multilingual")
            var content = File(folder.root, name).readBytes()
            if (seed % 3 == 0) content = content.copyOf(random.nextInt(content.size))
            if (content.isNotEmpty()) {
                repeat(1 + random.nextInt(20)) { content[random.nextInt(content.size)] = random.nextInt().toByte() }
            }
            seal(name, content)
            if (refusal() != null) refused++
        }
        assertTrue("$refused", refused > 30)
        assertQuick("changed vocabularies", 60)
    }

    @Test
    fun `models that are cut, empty or of something else`() {
        copy("multi_label")
        val good = File(folder.root, BundleManifest.MODEL).readBytes()
        val sizes = listOf(0, 1, 7, 8, 9, 100, 1000) + (1..12).map { it * good.size / 13 }
        val models = sizes.map { good.copyOf(it) } + listOf(
            ByteArray(1000),
            // A file of this kind, and nothing in it.
            ByteArray(1000).also { "TFL3".toByteArray().copyInto(it, 4) },
            "PK\u0003\u0004TFL3".toByteArray() + ByteArray(100),
            good.reversedArray(),
            "<html>".repeat(1000).toByteArray(),
        )
        for (model in models) {
            copy("multi_label")
            seal(BundleManifest.MODEL, model)
            assertTrue("${model.size} bytes", refusal() != null)
        }
        assertQuick("models", models.size)
    }

    /** Written by `verify/wrong_models.py`. */
    @Test
    fun `models that are not what the manifest says`() {
        val expected = mapOf(
            "float_ids" to "token_ids of encode_16 is FLOAT32, expected INT32",
            "long_ids" to "token_ids of encode_16 is INT64, expected INT32",
            "whole_logits" to "logits of encode_16 is INT32, expected FLOAT32",
            "other_names" to "no",
            "more_inputs" to "encode_16 reads",
            "other_answers" to "computes the model wrongly",
        )
        for ((name, words) in expected) {
            copy("multi_label")
            seal(BundleManifest.MODEL, Golden.file("wrong_models/$name.tflite").readBytes())
            val message = refusal() ?: "it is taken"
            assertTrue("$name: $message", words in message)
        }
        assertQuick("wrong models", expected.size)
    }

    @Test
    fun `a model of three gigabytes`() {
        copy("multi_label")
        RandomAccessFile(File(folder.root, BundleManifest.MODEL), "rw").use { it.setLength(3_000_000_000) }
        val message = refusal()!!
        assertTrue(message, "3.0 GB, more than the 2 GB" in message)
        assertQuick("a large one", 1)
    }

    private companion object {
        val BUNDLES = listOf("multi_label", "tagged", "multilingual")
        const val SIGNS = "{}[]\",:0123456789eE+-.\\/'#ntf \u0000\u202e"
    }
}
