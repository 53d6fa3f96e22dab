package org.tfminilm

import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import org.junit.Assert.assertSame
import org.junit.Assert.assertTrue
import org.junit.Test

/** What the first tokenizer of a process costs: measured in a virtual machine of its own. */
class SetUpTest {
    private fun measured(bundle: File): Pair<Double, Double> {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val command = listOf(
            *arrayOf(java, "-Xmx256m", "-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path")),
            *arrayOf("org.tfminilm.ColdStart", bundle.path),
        )
        val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val words = process.inputStream.bufferedReader().readText().split(" ")
        return words[0].toDouble() to words[1].toDouble()
    }

    /** On a quiet machine at most 40 ms; twice that where others are at work. */
    @Test
    fun `the first tokenizer takes at most 80 ms and 6 MB`() {
        for (name in listOf("encoder", "keras_hub")) {
            // Of three, as another program may have been at work.
            val runs = List(3) { measured(Golden.file(name)) }
            val milliseconds = runs.minOf { it.first }
            val megabytes = runs.minOf { it.second }
            println("the first tokenizer of $name: %.0f ms, %.1f MB".format(milliseconds, megabytes))
            assertTrue("$milliseconds ms", milliseconds <= 80)
            assertTrue("$megabytes MB", megabytes <= 6)
        }
    }

    @Test
    fun `another tokenizer of a bundle costs its buffers alone`() {
        for (name in listOf("encoder", "keras_hub", "multilingual")) {
            val bundle = Golden.bundle(name)
            val tokens = Tokens()
            bundle.tokenizer().encode("a", tokens)
            val bytes = allocated { bundle.tokenizer().encode("a", tokens) }
            assertTrue("$bytes bytes", bytes < 50_000)
        }
    }

    @Test
    fun `a table of characters is read once`() {
        assertSame(
            CharacterTable.load(WordRules.BERT, lowercase = true, stripAccents = true),
            CharacterTable.load(WordRules.BERT, lowercase = true, stripAccents = true),
        )
    }
}

/** The bytes that this thread allocates in some work. */
internal fun allocated(work: () -> Unit): Long {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val id = Thread.currentThread().id
    val before = threads.getThreadAllocatedBytes(id)
    work()
    return threads.getThreadAllocatedBytes(id) - before
}

/** Prints the milliseconds and the megabytes from a file of words to the first tokens. */
internal object ColdStart {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
        val start = threads.currentThreadCpuTime // Without other programs'.
        val bytes = allocated {
            val file = ByteBuffer.wrap(File(arguments[0], "vocab.txt").readBytes())
            val text = Charsets.UTF_8.newDecoder().decode(file).toString()
            val words = WordPieceVocabulary.read(text, "##")
            val rules = if (arguments[0].endsWith("keras_hub")) WordRules.KERAS_HUB else WordRules.BERT
            val tokens = Tokens()
            WordPieceTokenizer(words, 1, rules, lowercase = true, stripAccents = true).encode("A text", tokens)
            check(tokens.size == 2)
        }
        println("${(threads.currentThreadCpuTime - start) / 1e6} ${bytes / 1e6}")
    }
}
